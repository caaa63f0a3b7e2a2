"""Carries out what settlements bring along, for a whole group of them at once."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from packhorse.driver.abilities import Lists
from packhorse.driver.outcome import Dead, Done, Outcome
from packhorse.errors import ConfigError, StoreRequired
from packhorse.flow.ledger import How
from packhorse.flow.step import send_all
from packhorse.flow.sweep import Note, noted
from packhorse.flow.tally import Ended
from packhorse.store.contract import Group, Store
from packhorse.worker.following import Consequences, Counted

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection

NOTED = 10_000
"""Members at most that a worker's notes name: so many can be left by counts that failed."""

_log = logging.getLogger("packhorse.worker")


class Courier:
    """Sends, writes and counts; its verbs raise `ConnectionLost`, and may be repeated.

    `before` the outcomes of a group are kept or told, `count_first` when what the broker cannot keep
    is kept, `after` when it has applied them, `lost` when it knows no such reservation.

    Where the broker can be asked what became of a message, members are counted once it has applied
    their outcome; what was about to be counted is noted before, so that a sweep finds it after a
    crash. Elsewhere they are counted first: a redelivery then counts nothing anew.
    """

    def __init__(self, app: "Packhorse", connection: "Connection", worker: str) -> None:
        self._app = app
        self._connection = connection
        self._worker = worker
        self._noted: dict[tuple[UUID, bytes], tuple[str, How]] = {}
        self._missing: set[str] = set()

    @property
    def _lists(self) -> Lists | None:
        driver: object = self._connection.driver
        return driver if isinstance(driver, Lists) else None

    def early(self, brings: Consequences) -> bool:
        """Whether anything is sent, written or counted before the broker is told."""
        later = brings.counted or brings.after
        sooner = brings.ahead or brings.before or brings.freed
        return bool(sooner or (self._lists is None and later))

    def before(self, brought: Mapping[bytes, Consequences]) -> dict[bytes, Consequences | str]:
        """What comes before the broker is told.

        Gives what holds instead for some, by their tokens: other consequences, or a reason for
        which they cannot go on.
        """
        instead = self._send_ahead(brought)
        for token, each in brought.items():
            one = instead.get(token)
            if isinstance(one, Consequences):
                instead[token] = _both(each, one)
        self._write(
            pair
            for token, each in brought.items()
            if not isinstance(one := instead.get(token, each), str)
            for pair in one.before
        )
        self._free(brought.values())
        return instead

    def count_first(self, brought: Sequence[Consequences]) -> None:
        """What must be in a store before the broker forgets the messages: it raises as `before` does."""
        self._write(pair for one in brought for pair in one.freed)
        counted = [one.counted for one in brought if one.counted is not None]
        if self._lists is None:
            self._count(counted)
            self._write(pair for one in brought for pair in one.after)
        elif counted:
            self._note(counted)

    def after(self, brought: Sequence[Consequences]) -> None:
        """What comes once the broker has applied the outcomes."""
        if self._lists is not None:
            self._write(pair for one in brought for pair in one.after)
            counted = [one.counted for one in brought if one.counted is not None]
            self._count(counted)
            self.drop(counted)

    def lost(self, brought: Iterable[Consequences]) -> None:
        """What comes where the broker knows no such reservation."""
        self._write(pair for one in brought for pair in one.lost)

    def drop(self, counted: Iterable[Counted]) -> None:
        """These were counted, or are not to be counted by this worker."""
        for one in counted:
            self._noted.pop((one.batch.id, one.batch.member), None)

    def applied(self, outcomes: Sequence[Outcome]) -> list[bool]:
        """Which of these outcomes the broker shows: it knows the message no more, or as dead.

        None of them where it cannot be asked.
        """
        lists = self._lists
        if lists is None or not outcomes:
            return [False] * len(outcomes)
        found = lists.get([one.delivery.message.id for one in outcomes])
        return [
            listed.state == "dead" and isinstance(one, Dead)
            if listed is not None
            else isinstance(one, Done)
            for one, listed in zip(outcomes, found, strict=True)
        ]

    def _send_ahead(self, brought: Mapping[bytes, Consequences]) -> dict[bytes, Consequences | str]:
        owners = {message.id: token for token, one in brought.items() for _, message in one.ahead}
        instead: dict[bytes, Consequences | str] = {}
        for answer in send_all(self._app, (each for one in brought.values() for each in one.ahead)):
            token = owners[answer.id]
            otherwise = brought[token].otherwise
            if answer.state == "refused":
                instead[token] = f"the broker refuses what follows: {answer.error}"
            elif answer.state == "taken" and otherwise is not None:
                instead[token] = otherwise
        return instead

    def _free(self, brought: Iterable[Consequences]) -> None:
        """Frees unique keys of messages that could not be opened, where a store may keep some."""
        orphans: dict[str, list[UUID]] = {}
        for one in brought:
            if one.orphan is not None:
                queue, id = one.orphan
                orphans.setdefault(queue, []).append(id)
        for queue, ids in orphans.items():
            with suppress(StoreRequired):  # then no key was ever taken
                self._connection.unique_keys().orphaned(queue, ids)

    def _write(self, written: Iterable[tuple[str, Group]]) -> None:
        by: dict[str, list[Group]] = {}
        for name, group in written:
            by.setdefault(name, []).append(group)
        for name, groups in by.items():
            if (store := self._store(name)) is not None:
                store.apply(groups)

    def _note(self, counted: Sequence[Counted]) -> None:
        for one in counted:
            self._noted[one.batch.id, one.batch.member] = (one.batch.store, one.how)
        while len(self._noted) > NOTED:
            del self._noted[next(iter(self._noted))]
        for name in {one.batch.store for one in counted}:
            noted_there = [
                (id, member, how) for (id, member), (at, how) in self._noted.items() if at == name
            ]
            if (store := self._store(name)) is not None:
                store.apply(noted(self._worker, Note(noted_there)))

    def _count(self, counted: Sequence[Counted]) -> None:
        by: dict[str, dict[UUID, list[Ended]]] = {}
        for one in counted:
            ended = Ended(one.batch.member, one.how, one.cause)
            by.setdefault(one.batch.store, {}).setdefault(one.batch.id, []).append(ended)
        for name, batches in by.items():
            if self._store(name) is not None:
                self._app.batches.tally(name).count(batches)

    def _store(self, name: str) -> Store | None:
        """A connection's store; None if this process cannot reach it by its settings, which is logged."""
        try:
            return self._app.connection(name).store
        except (ConfigError, StoreRequired) as error:
            if name not in self._missing:
                self._missing.add(name)
                _log.error("worker: members of batches cannot be counted here: %s", error)
            return None


def _both(first: Consequences, instead: Consequences) -> Consequences:
    """Other consequences, with what was to be written in any case."""
    before = (*first.before, *instead.before)
    return msgspec.structs.replace(instead, before=before, freed=first.freed)
