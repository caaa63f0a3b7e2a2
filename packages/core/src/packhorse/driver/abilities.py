"""What a driver may be able to do besides: each ability its own small base class.

An ability is declared (the driver inherits it) or refused (the core raises `Unsupported`), never
ignored. The same rules as for `Driver` hold for errors and threads.
"""

import builtins
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Literal
from uuid import UUID

from packhorse.driver.message import Listed, Message, Rewriting, Sent, State


class Lists(ABC):
    """Shows what is on the broker."""

    @abstractmethod
    def list(
        self, queue: str | None, state: State, limit: int, after: UUID | None = None
    ) -> list[Listed]:
        """Up to `limit` messages of a state (of one queue, or of all), in the order of their moment.

        Dead ones come newest first, the others soonest first. `after` is the id of the last one of
        the page before; a page whose last message has left that state since starts from the front.
        """

    @abstractmethod
    def get(self, ids: Sequence[UUID]) -> builtins.list[Listed | None]:
        """The messages with these ids in whatever state, None where there is none."""

    @abstractmethod
    def queues(self) -> builtins.list[str]:
        """The names of all queues that hold any message, dead ones too, sorted."""

    @abstractmethod
    def oldest(self, queue: str) -> float | None:
        """For how many seconds the first of the waiting messages has been due; None if none is."""

    @abstractmethod
    def move(self, ids: Sequence[UUID], queue: str) -> int:
        """Moves waiting, delayed and parked messages to another queue; how many it moved.

        Their moments stay as they are, and their unique keys go along: one whose key is taken there
        is not moved. What has a group joins the one that is there, in the order of sending.
        """


class Cancels(ABC):
    """Marks messages as cancelled; a worker settles them."""

    @abstractmethod
    def cancel(self, ids: Sequence[UUID]) -> list[Literal["marked", "leased", "gone"]]:
        """Marks messages and makes the waiting, delayed and parked ones due now.

        "marked": the next worker settles it without running it. "leased": a worker holds it and
        learns of it at the next renewal. "gone": not there, or dead.
        """


class Clears(ABC):
    """Removes messages in bulk."""

    @abstractmethod
    def clear(
        self, queue: str | None, state: State | None = None, older_than: float | None = None
    ) -> int:
        """Removes messages of a queue (None: of all) and says how many.

        Without a state: waiting, delayed, leased and parked ones, never dead ones. `older_than`: only those
        whose moment lies at least so many seconds back.
        """


class Pauses(ABC):
    """Stops queues from being handed out, for every worker."""

    @abstractmethod
    def pause(self, queue: str, for_: float | None = None) -> None:
        """Pauses a queue, for so many seconds or until `resume`."""

    @abstractmethod
    def resume(self, queue: str) -> None:
        """Ends a pause; no pause is no error."""

    @abstractmethod
    def paused(self) -> dict[str, float | None]:
        """The paused queues, each with the seconds that are left (None: until `resume`)."""


class KeepsDead(ABC):
    """Keeps dead messages beside the live ones, moved there in the settling's own transaction.

    They are listed by `Lists` with the state "dead".
    """

    @abstractmethod
    def revive(self, messages: Sequence[Message]) -> list[Sent]:
        """Makes dead messages wait again, with the queue, body, delay, key and group given here.

        "stored": revived, behind the others of its group. "known": no dead message has that id.
        "taken": its unique key is held by another; it stays dead.
        """

    @abstractmethod
    def forget(self, ids: Sequence[UUID]) -> int:
        """Removes dead messages; how many there were."""


class Buries(ABC):
    """Keeps dead messages off their queue, whole, but without their record and without listing them.

    Used where the connection has no store; where it has one, that keeps them.
    """

    @abstractmethod
    def buried(self, queue: str | None) -> int:
        """How many dead messages there are, of one queue or of all."""

    @abstractmethod
    def exhume(self, queue: str | None) -> int:
        """Makes dead messages of a queue (None: of all) wait again, as they were; how many."""


class Rewrites(ABC):
    """Puts other bodies into messages where they stand."""

    @abstractmethod
    def rewrite(self, changes: Sequence[Rewriting]) -> int:
        """Writes bodies anew, and records of dead messages; how many it wrote.

        One that is leased or gone, or whose body is another by now, stays as it is. Nothing else of a
        message changes: not its moment, place, key or group, nor how often it was delivered.
        """


class Rescues(ABC):
    """Gives back at once what a worker held, without waiting for its leases to end."""

    @abstractmethod
    def rescue(
        self, worker: str, keep: Collection[bytes] = (), blamed: Collection[UUID] | None = None
    ) -> int:
        """Ends the leases of `worker`, except those with a token in `keep`; how many.

        Ids in `blamed` were started and lost: their delivery counts. The others are given back as
        if by `Return`. None blames nobody.
        """


class Migrates(ABC):
    """Keeps tables, or the like, whose shape changes from one version to the next."""

    @abstractmethod
    def migrate(self) -> list[str]:
        """Brings them up to date and says in a line each what it did; nothing: there was nothing to do.

        Safe to call again, and from several processes at once. Raises `ConfigError` where they are
        newer than the driver.
        """
