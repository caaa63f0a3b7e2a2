"""The driver contract, version 1: what a backend must do, what it may declare.

All methods are synchronous and may be called from any thread; a `Consumer`'s `reserve`, `settle`
and `renew` may be called at the same time by three threads. Every method raises `ConnectionLost`
when the broker cannot be reached, and no exception of a client library. Verbs take many messages:
one call is one round trip where the broker allows it.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol

from msgspec import Struct, field

from packhorse.clock import SYSTEM_CLOCK, Clock
from packhorse.driver.message import Counts, Delivery, Message, Renewed, Reserved, Sent
from packhorse.driver.outcome import Outcome, Settled
from packhorse.driver.url import Url
from packhorse.events.types import Event

CONTRACT = 1


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a driver can and cannot do; the core and the conformance suite branch on nothing else.

    follow           are follow-ups sent in the settling's own transaction, in it if they go to the
                     same slot, or must the core send them before?
    fencing          does the broker refuse a stale token, or only this process's clock?
    rewrite          does `Retry` change the body in place, send a copy and delete, or can it not?
    ordered          does a queue keep the order of sending, and what comes back its old place?
    known_ids        does an id with `once` stay known after its message is gone?
    unique, groups   are `Message.unique` and `Message.group` kept? If not, sending one raises
                     `Unsupported`.
    counts           exact, or what the broker believes?
    max_delay        seconds; None: any
    delay_step       seconds to which delays and retries are rounded up; 0: none
    lease_step       seconds to which leases are rounded up; 0: none
    max_lease_total  seconds after which a lease is renewed no more; None: never
    max_body         bytes; None: any
    retention        seconds after which the broker drops what nobody took; None: it never does
    wake_within      seconds within which `Consumer.wake` ends a blocked `reserve`
    """

    follow: Literal["atomic", "atomic_in_slot", "before"] = "atomic"
    fencing: Literal["broker", "clock"] = "broker"
    rewrite: Literal["in_place", "resend", "none"] = "in_place"
    ordered: bool = True
    known_ids: bool = True
    unique: bool = False
    groups: bool = False
    counts: Literal["exact", "approximate"] = "exact"
    max_delay: float | None = None
    delay_step: float = 0.0
    lease_step: float = 0.0
    max_lease_total: float | None = None
    max_body: int | None = None
    retention: float | None = None
    wake_within: float = 0.05


def _no_peer(name: str) -> "Driver":
    raise LookupError(name)


class Runner(Protocol):
    """Runs messages in this process, by the whole attempt path; for drivers that run what they are sent.

    Both verbs give what is to run next, each after its `delay`: the same message again (the same
    id), or what follows it.
    """

    def run(self, message: Message, /, *, quiet: bool = False) -> Sequence[Message]:
        """One attempt, here and now. Of a job that failed for good it raises the error; with `quiet`
        it logs it, unless a store keeps it among the failed jobs."""
        ...

    def bury(self, message: Message, reason: str, /) -> Sequence[Message]:
        """Fails a message that will not run."""
        ...


def _no_runner() -> Runner:
    raise LookupError("there is no app to run messages in")


def _no_listener(event: Event) -> None:
    pass


class DriverSetup(Struct, frozen=True, kw_only=True):
    """What the core hands to a driver that it opens.

    connection  the connection's name, for errors and logs
    lease       seconds for which a reservation holds
    options     settings of the connection beside the core's own (`Url.options` of the driver's
                `open` has them together with the URL's query)
    peer        gives the driver of another configured connection, by name
    runner      gives what runs messages in this process, for a driver that runs what it is sent
    notify      takes the rare event that only a driver can know of, after the fact
    clock       this process's clocks
    """

    connection: str = "default"
    lease: float = 30.0
    options: Mapping[str, object] = field(default_factory=dict)
    peer: Callable[[str], "Driver"] = _no_peer
    runner: Callable[[], Runner] = _no_runner
    notify: Callable[[Event], None] = _no_listener
    clock: Clock = SYSTEM_CLOCK


class Driver(ABC):
    """Speaks to one broker. One per connection and process; thread-safe.

    `borrowed`: what it holds belongs to another connection of the app, and is listed there. `local`: what
    it holds lives and ends with this process, and no other can reach it. `has_workers`: workers reserve
    from it; else jobs run where they are sent, or not at all.
    """

    capabilities: Capabilities = Capabilities()
    borrowed = False
    local = False
    has_workers = True

    @classmethod
    @abstractmethod
    def open(cls, url: Url, setup: DriverSetup) -> "Driver":
        """Makes a driver from the connection's URL, of this class or one that fits the URL better.

        Raises `ConfigError` for a wrong URL or option. Connects as late as it likes: a broker that
        is away is `ConnectionLost` at the first verb, not here.
        """

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> list[Sent]:
        """Puts messages on the broker, in this order; one answer a message.

        When it returns, what is "stored" is on the broker. After `ConnectionLost` any part may be;
        where `known_ids` holds, sending the same ids again is safe.
        """

    @abstractmethod
    def consumer(self, worker: str) -> "Consumer":
        """Opens a consumer for one worker; `worker` is unique for each start of a worker."""

    @abstractmethod
    def counts(self, queue: str, cap: int = 10_000) -> Counts:
        """Counts a queue's messages, each state up to `cap`."""

    def concerns(self) -> Sequence[str]:
        """What an operator should change on the broker, a sentence each; `packhorse doctor` shows it."""
        return ()

    def after_fork(self) -> None:  # noqa: B027  (without sockets there is nothing to drop)
        """Called in a forked child: drops inherited connections without closing the parent's."""

    @abstractmethod
    def close(self) -> None:
        """Gives back connections; closing twice is allowed."""


class Consumer(ABC):
    """Reserves, renews and settles for one worker."""

    @abstractmethod
    def reserve(self, queues: Sequence[str], limit: int, wait: float) -> Reserved:
        """Takes up to `limit` messages under lease, blocking up to `wait` seconds for the first.

        `queues` are in order of preference and filled strictly in that order. Within a queue those
        whose lease ended come first, at their old place, then what is due, by the moment at which
        it fell due and the order of sending. Paused queues give nothing. Returns early, and empty,
        after `wake`.
        """

    @abstractmethod
    def settle(self, outcomes: Sequence[Outcome]) -> list[Settled]:
        """Carries out outcomes whose token is current; one answer an outcome.

        Each outcome has its delivery as it was handed out, message and all.
        """

    @abstractmethod
    def renew(self, deliveries: Sequence[Delivery]) -> list[Renewed]:
        """Sets the end of these leases to a whole lease from now; one answer a delivery."""

    @abstractmethod
    def wake(self) -> None:
        """Ends a blocked `reserve` within `Capabilities.wake_within`; from any thread, at any time.

        If none is blocked, the next `reserve` does not block.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends the consumer; leases that it still holds are left to run out."""


__all__ = [
    "CONTRACT",
    "Capabilities",
    "Consumer",
    "Driver",
    "DriverSetup",
    "Runner",
]
