"""`packhorse job …`: looks up, explains or cancels one job, wherever it is."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from packhorse import cancelling
from packhorse.cli.output import complain, json_option, moment, print_json, stamp
from packhorse.cli.queue import MOMENTS, arguments_text, facts
from packhorse.cli.setup import Setup

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.cli.fate import Reason
    from packhorse.connection import Connection
    from packhorse.queue import QueuedJob


@click.group()
def job() -> None:
    """Look up one job, say why it does not run, or cancel it."""


@job.command("show")
@click.argument("id", type=click.UUID)
@json_option
@click.pass_obj
def show(setup: Setup, id: UUID, as_json: bool) -> int:
    """Show where a job stands."""
    found = _find(setup.app(), id)
    if found is None:
        return _gone(id)
    _, one = found
    if as_json:
        print_json(facts(one))
        return 0
    lines = [
        ("job", one.job or "? (the message cannot be read)"),
        ("id", str(one.id)),
        ("queue", f"{one.queue} on {one.connection}"),
        ("state", one.state + (", cancelled" if one.cancelled else "")),
        ("dispatched", moment(one.at)),
        (MOMENTS[one.state], moment(one.moment)),
        ("failures", str(one.failed)),
        ("deliveries", str(one.deliveries)),
        ("worker", one.worker or ""),
        ("tags", ", ".join(one.tags)),
        ("chain", "" if one.chain is None else f"{one.chain}, link {(one.place or 0) + 1}"),
        ("batch", "" if one.batch is None else str(one.batch)),
        ("arguments", arguments_text(one)),
    ]
    for name, text in lines:
        if text:
            click.echo(f"{name:<10} {text}")
    if one.state == "dead":
        click.echo(f"\nwhy it failed: packhorse failed show {one.id}")
    return 0


@job.command("why")
@click.argument("id", type=click.UUID)
@click.option("--import", "modules", multiple=True, metavar="MODULE", help="A module with jobs.")
@json_option
@click.pass_obj
def why(setup: Setup, id: UUID, modules: tuple[str, ...], as_json: bool) -> int:
    """Say why a job does not run, or what became of it.

    The jobs' modules are imported, to ask what a worker would ask: options and middleware of the
    job are called, its handler is not, and nothing is changed.
    """
    from packhorse.cli.fate import missing
    from packhorse.cli.why import explain, locate
    from packhorse.queue import view

    app = setup.app_with_jobs(modules)
    found = locate(app, id)
    reasons = missing(app, id) if found is None else explain(app, *found)
    one = None if found is None else view(found[1], found[0])
    if as_json:
        known = {} if one is None else facts(one)
        print_json(
            {"id": id, "state": "gone", **known, "reasons": [_fact(each) for each in reasons]}
        )
    else:
        if one is not None:
            name = one.job or "a message that cannot be read"
            click.echo(f"{name} is {one.state}, on {one.connection}/{one.queue}")
        for reason in reasons:
            click.echo(f"- {reason.text}")
    return 1 if found is None and reasons[0].code == "gone" else 0


def _fact(reason: "Reason") -> dict[str, object]:
    until = None if reason.until is None else stamp(reason.until)
    return {"code": reason.code, "text": reason.text, "until": until}


@job.command("cancel")
@click.argument("id", type=click.UUID)
@click.pass_obj
def cancel(setup: Setup, id: UUID) -> int:
    """Cancel a job: one that waits is not run, one that runs is told."""
    found = _find(setup.app(), id)
    if found is None:
        return _gone(id)
    on, one = found
    answer = cancelling.cancel(on, id)
    if answer == "gone":
        complain(f"job {id} cannot be cancelled: it is {one.state}")
        return 1
    click.echo("cancelled" if answer == "marked" else "it runs; its worker tells it soon")
    return 0


def _find(app: "Packhorse", id: UUID) -> "tuple[Connection, QueuedJob] | None":
    """The job and its connection, among those whose brokers can look one up."""
    from packhorse.cli.why import locate
    from packhorse.queue import view

    found = locate(app, id)
    return None if found is None else (found[0], view(found[1], found[0]))


def _gone(id: UUID) -> int:
    complain(
        f"no connection has a job {id}: it is done, or was never sent; more: packhorse job why {id}"
    )
    return 1
