"""How failed jobs look: as a table, as a story, as JSON."""

import time
from typing import TYPE_CHECKING

import click
import msgspec

from packhorse.cli.output import moment, one_line, span, stamp, table
from packhorse.errors import PackhorseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packhorse.failed import FailedJob
    from packhorse.wire.codec import Codec


def as_table(found: "list[FailedJob]") -> None:
    """One line a job: which, where, how long ago and why."""
    now = time.time()
    rows = [
        [
            str(one.id),
            one.job or "?",
            one.queue,
            span(max(0.0, now - one.failed_at)),
            one_line(why(one)),
        ]
        for one in found
    ]
    table(["id", "job", "queue", "age", "reason"], rows)


def story(one: "FailedJob", codecs: "Mapping[str, Codec]") -> None:
    """Everything about one job."""
    worker = f" on {one.worker}" if one.worker else ""
    lines = [
        ("job", one.job or "? (the message cannot be read)"),
        ("id", str(one.id)),
        ("queue", f"{one.queue} on {one.connection}"),
        ("failed", f"{moment(one.failed_at)}{worker}"),
        ("reason", one.reason),
        ("arguments", arguments_text(one, codecs)),
    ]
    for name, text in lines:
        click.echo(f"{name:<10} {text}")
    for failure in one.failures:
        title = f"attempt {failure.attempt}, {moment(failure.at)} on {failure.worker}"
        click.echo(f"\n{title}\n{failure.traceback.rstrip()}")
    click.echo(f"\nto run it again: packhorse failed retry {one.id}")


def facts(one: "FailedJob") -> dict[str, object]:
    """A failed job as JSON has it."""
    failures = [
        msgspec.structs.asdict(failure) | {"at": stamp(failure.at)} for failure in one.failures
    ]
    return {
        "id": one.id,
        "job": one.job,
        "queue": one.queue,
        "connection": one.connection,
        "failed_at": stamp(one.failed_at),
        "reason": one.reason,
        "worker": one.worker,
        "failures": failures,
    }


def why(one: "FailedJob") -> str:
    """The last failure in a line; of a job that never ran, the reason of its end."""
    if not one.failures:
        return one.reason
    last = one.failures[-1]
    return f"{last.type}: {last.message}" if last.message else last.type


def arguments_text(one: "FailedJob", codecs: "Mapping[str, Codec]") -> str:
    """The arguments; what a codec seals is not shown."""
    from packhorse.wire.envelope import Body
    from packhorse.wire.seal import arguments, is_sealed, open_body, open_envelope

    try:
        envelope = open_envelope(one.body)
        if is_sealed(envelope, codecs):
            return f"sealed ({', '.join(envelope.enc)})"
        return arguments(open_body(envelope, codecs, Body)).decode(errors="replace")
    except PackhorseError as error:
        return f"cannot be read: {error}"
