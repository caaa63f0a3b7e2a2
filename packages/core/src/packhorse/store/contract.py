"""The store contract, version 1: small shared state over bytes, in two verbs.

Locks, limiters, batch records, results, pauses and control signals are written once on top of it,
never per driver. Keys are text; a value is bytes, an integer (made by `Increment`) or a set of
bytes (made by `AddMembers`). A key whose time is over is absent. Methods are synchronous, may be
called from any thread, and raise `ConnectionLost` when the store cannot be reached.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from msgspec import Struct

CONTRACT = 1

Value = bytes | int | frozenset[bytes]


class Put(Struct, frozen=True, gc=False):
    """Writes `value`; with `ttl`, for so many seconds."""

    key: str
    value: bytes
    ttl: float | None = None


class Delete(Struct, frozen=True, gc=False):
    """Removes a key; none is no error."""

    key: str


class Increment(Struct, frozen=True, gc=False):
    """Adds to an integer (absent counts as 0) and answers the sum; `ttl` counts from the first."""

    key: str
    by: int = 1
    ttl: float | None = None


class AddMembers(Struct, frozen=True):
    """Adds to a set and answers how many of these were new; with `ttl`, the set ends so much later."""

    key: str
    members: Sequence[bytes]
    ttl: float | None = None


class RemoveMembers(Struct, frozen=True):
    """Takes from a set and answers how many are left; an emptied set is absent."""

    key: str
    members: Sequence[bytes]


class Expire(Struct, frozen=True, gc=False):
    """Sets the time that a present key has left, in seconds; None: for ever."""

    key: str
    ttl: float | None


class Absent(Struct, frozen=True, gc=False):
    """Holds where the key is not there."""

    key: str


class Equals(Struct, frozen=True, gc=False):
    """Holds where the key's bytes are exactly these."""

    key: str
    value: bytes


class Older(Struct, frozen=True, gc=False):
    """Holds where the key's bytes share their first `prefix` bytes with `value` and sort before it.

    With fixed-width numbers at the end this says "an earlier delivery of the same message".
    """

    key: str
    value: bytes
    prefix: int = 0


class Has(Struct, frozen=True):
    """Holds where the key is a set with this member."""

    key: str
    member: bytes


Condition = Absent | Equals | Older | Has
Action = Put | Delete | Increment | AddMembers | RemoveMembers | Expire


class Group(Struct, frozen=True):
    """Actions that all happen or none: they happen if every condition holds.

    A store on many nodes keeps the keys of one group together by `partition`.
    """

    actions: Sequence[Action]
    conditions: Sequence[Condition] = ()
    partition: str = ""


Answers = tuple[int | None, ...]
"""One answer an action: the number that `Increment`, `AddMembers` or `RemoveMembers` tells, else None."""


class Store(ABC):
    """Shared state that a connection brings, or that another connection names as its companion."""

    @abstractmethod
    def read(self, keys: Sequence[str]) -> list[Value | None]:
        """The values of these keys, None where there is none; one round trip."""

    @abstractmethod
    def apply(self, groups: Sequence[Group]) -> list[Answers | None]:
        """Applies groups in order, one round trip; None for one whose conditions do not hold.

        Each group is all or nothing; several groups together are not.
        """

    def after_fork(self) -> None:  # noqa: B027  (without sockets there is nothing to drop)
        """Called in a forked child: drops inherited connections without closing the parent's."""

    @abstractmethod
    def close(self) -> None:
        """Gives back connections; closing twice is allowed."""
