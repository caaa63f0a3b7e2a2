"""The values that cross the border between core and driver.

A driver sees bytes and a few routing facts, never a job's name, an argument or a retry rule.
All values are frozen; they may be shared between threads.
"""

import enum
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from msgspec import Struct

State = Literal["waiting", "delayed", "leased", "parked", "dead"]
"""Where a message stands: due, due later, handed to a worker, behind the first of its group, or
failed for good and kept."""


class Unique(Struct, frozen=True):
    """At most one live message of a queue holds `key`.

    `until` says what frees the key: the end of the job or its first reservation. `window` holds it
    for at least so many seconds after the sending. `on_taken` says what a second sender does to
    the holder: keep it, or take its place while it still waits. `max_wait` is for those who do that
    again and again with a delay: the new message falls due so many seconds after the first of the
    run was sent, if its own delay does not end sooner.
    """

    key: str = ""
    until: Literal["done", "reserved"] = "done"
    window: float = 0.0
    on_taken: Literal["keep", "replace"] = "keep"
    max_wait: float | None = None


class Message(Struct, frozen=True):
    """One job on the wire.

    `id` is a UUID, version 7 unless it is derived from another's. `delay` is in seconds from the
    moment at which the broker takes the message. `group`: at most one of a group is leased, in the
    order of sending; the others are parked, and one that is cancelled or superseded there leaves
    the group and shows none from then on. `once`: seconds for which the id stays known after the
    message is gone, so that sending it again is answered "known".
    """

    id: UUID
    queue: str
    body: bytes
    delay: float = 0.0
    unique: Unique | None = None
    group: str | None = None
    once: float = 0.0


class Delivery(Struct, frozen=True):
    """One message, handed to one worker under one lease.

    `token` names this reservation and is never used twice. `deliveries` counts reservations since
    the message was last written (sent, or settled by `Retry`), this one included. `reserved_at` is
    the broker's wall clock in seconds. `deadline` is the end of the lease on this process's
    monotonic clock, taken before the request went out. `renewable_until`, on the same clock, is
    where renewing ends (None: never). What is `cancelled`, or `superseded` by a later message with
    the same unique key, is to be settled without running.
    """

    message: Message
    token: bytes
    deliveries: int
    reserved_at: float
    deadline: float
    renewable_until: float | None = None
    cancelled: bool = False
    superseded: bool = False


class Sent(Struct, frozen=True):
    """What became of one message that was sent.

    "stored": it is on the broker, in place of the message `superseded` if that held its unique key.
    "known": this id was sent before; nothing changed. "taken": its unique key is held by `holder`,
    a live message, or one that is gone or reserved if that one's window holds the key still; nothing
    changed. "refused": the broker would not take it, `error` says why, and sending it unchanged
    will not help.
    """

    id: UUID
    state: Literal["stored", "known", "taken", "refused"]
    holder: UUID | None = None
    error: str | None = None
    superseded: UUID | None = None


class Reserved(Struct, frozen=True):
    """What a reservation brought.

    `next_due`: seconds until the next delayed message of the asked queues falls due or the next
    lease ends, None if there is none or the broker does not tell. `paused`: which of the asked
    queues are paused.
    """

    deliveries: Sequence[Delivery] = ()
    next_due: float | None = None
    paused: frozenset[str] = frozenset()


class Refusal(enum.Enum):
    """Why a lease was not renewed."""

    LOST = "lost"
    """The token is no longer current."""
    CANCELLED = "cancelled"
    """The message was cancelled; the lease was renewed all the same, so that it can be settled."""
    CEILING = "ceiling"
    """The broker renews this lease no further; it ends at the deadline that was last given."""


LOST, CANCELLED, CEILING = Refusal.LOST, Refusal.CANCELLED, Refusal.CEILING

Renewed = float | Refusal
"""The new deadline on this process's monotonic clock, or why there is none."""


class Counts(Struct, frozen=True):
    """How many messages of a queue are ready, delayed, reserved, and parked behind their group's first.

    A count stops at the cap that was asked for; `capped` says that at least one did.
    """

    ready: int = 0
    delayed: int = 0
    reserved: int = 0
    capped: bool = False
    parked: int = 0


class Rewriting(Struct, frozen=True):
    """Another body for a message whose body is `old`, and for a dead one another record."""

    id: UUID
    old: bytes
    new: bytes
    record: bytes | None = None


class Listed(Struct, frozen=True):
    """One message as a listing shows it.

    `moment` is in seconds since 1970: when it falls or fell due, when its lease ends, or when it
    died. `record` comes with a dead message: what the core wrote down about its death.
    """

    message: Message
    state: State
    moment: float
    deliveries: int = 0
    worker: str | None = None
    cancelled: bool = False
    record: bytes | None = None
    superseded: bool = False
