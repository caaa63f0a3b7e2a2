"""What became of a job that no broker has any more, or that failed for good, in plain sentences."""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from msgspec import Struct

from packhorse.cli.output import moment
from packhorse.driver.abilities import Lists
from packhorse.errors import PackhorseError
from packhorse.result import kept_end

if TYPE_CHECKING:
    from packhorse.app import Packhorse


class Reason(Struct, frozen=True):
    """One thing that is so; `until` is when it ends by itself, in seconds since 1970, if it does."""

    code: str
    text: str
    until: float | None = None


def missing(app: "Packhorse", id: UUID) -> list[Reason]:
    """What can be told of a job that no broker has: its failure, its result, or nothing."""
    reasons = [*failed(app, id), *_kept(app, id)]
    if not reasons:
        text = "no connection has it: it is done, was cleared, or was never sent"
        reasons.append(Reason("gone", text))
        deaf = [one.name for one in app.all_connections() if not isinstance(one.driver, Lists)]
        if deaf:
            text = f"it may be on {', '.join(deaf)}, where the broker cannot be asked for one job"
            reasons.append(Reason("unknown", text))
    return reasons


def failed(app: "Packhorse", id: UUID) -> Iterator[Reason]:
    found = app.failed.get(id)
    if found is not None:
        text = (
            f"it failed for good at {moment(found.failed_at)}: {found.reason}. "
            f"Look: packhorse failed show {id}; let it run again: packhorse failed retry {id}"
        )
        yield Reason("failed", text)


def _kept(app: "Packhorse", id: UUID) -> Iterator[Reason]:
    for connection in app.all_connections():
        try:
            end = kept_end(connection, id)
        except PackhorseError:
            continue
        if end is not None:
            how = (
                "is done" if end.how in ("done", "deleted", "skipped") else f"has ended: {end.how}"
            )
            yield Reason(end.how, f"it {how}, since {moment(end.at)}; its result is kept")
            return
