"""Carries out what settlements bring along, for a whole group of them at once."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.driver.abilities import Lists
from packhorse.flow.step import send_all
from packhorse.flow.sweep import Note, noted
from packhorse.flow.tally import Ended
from packhorse.store.contract import Group
from packhorse.worker.following import Consequences

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

Counts = dict[str, dict[UUID, list[Ended]]]
"""Members that have ended, by the store's connection and their batch."""


class Courier:
    """Sends, writes and counts; both verbs raise `ConnectionLost`, and may be repeated.

    Where the broker can be asked what became of a message, members are counted once it has applied
    their outcome; what was about to be counted is noted before, so that a sweep finds it after a
    crash. Elsewhere they are counted first: a redelivery then counts nothing anew.
    """

    def __init__(self, app: "Packhorse", connection: "Connection", worker: str) -> None:
        driver: object = connection.driver
        self._app = app
        self._worker = worker
        self._counts_first = not isinstance(driver, Lists)

    def before(self, brought: Mapping[bytes, Consequences]) -> dict[bytes, str]:
        """What comes before the broker is told; why some may not go on, by their tokens."""
        stopped = self._send_ahead(brought)
        some = [one for token, one in brought.items() if token not in stopped]
        self._write(pair for one in some for pair in one.before)
        counts = _counts(some)
        if self._counts_first:
            self._count(counts)
        elif counts:
            self._note(counts)
        return stopped

    def after(self, brought: Sequence[Consequences]) -> None:
        """What comes once the broker has applied the outcomes."""
        self._write(pair for one in brought for pair in one.after)
        if not self._counts_first:
            self._count(_counts(brought))

    def _send_ahead(self, brought: Mapping[bytes, Consequences]) -> dict[bytes, str]:
        owners = {message.id: token for token, one in brought.items() for _, message in one.ahead}
        answers = send_all(outgoing for one in brought.values() for outgoing in one.ahead)
        return {
            owners[message.id]: f"the broker refuses what follows: {answer.error}"
            for (_, message), answer in answers
            if answer.state == "refused"
        }

    def _write(self, written: Iterable[tuple[str, Group]]) -> None:
        by: dict[str, list[Group]] = {}
        for name, group in written:
            by.setdefault(name, []).append(group)
        for name, groups in by.items():
            self._app.connection(name).store.apply(groups)

    def _note(self, counts: Counts) -> None:
        for name, batches in counts.items():
            note = Note([(id, one.member, one.how) for id, some in batches.items() for one in some])
            self._app.connection(name).store.apply(noted(self._worker, note))

    def _count(self, counts: Counts) -> None:
        for name, batches in counts.items():
            self._app.batches.tally(name).count(batches)


def _counts(brought: Sequence[Consequences]) -> Counts:
    counts: Counts = {}
    for one in brought:
        if one.counted is not None:
            of = one.counted.batch
            ended = Ended(of.member, one.counted.how, one.counted.cause)
            counts.setdefault(of.store, {}).setdefault(of.id, []).append(ended)
    return counts
