"""What is pushed in a simulation, and what must have become of it in the end."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

from msgspec import Struct

from packhorse import JobContext, Unique, batch, chain, job
from packhorse.errors import ConnectionLost
from packhorse.flow.batches import Batch
from packhorse.flow.chains import link_id
from packhorse.pending import Pending
from packhorse.store.holds import SENDING
from packhorse.testing.simulation.world import Process, World
from packhorse.worker.execution import Execution

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.testing.simulation.truth import Truth

WINDOW = 40.0
"""Seconds of the windows of unique keys."""

TIMEOUT = 900.0
"""Seconds after which a job is stopped: longer than a process stands still."""

TOO_LONG = 2_000.0
"""Seconds that a job takes which is to be stopped."""

KINDS = ("single", "single", "single", "unique", "unique", "group", "group", "chain", "batch")


class Failure(Exception):
    """What a job raises that is told to."""


@job(name="simulation.work", tries=2, timeout=TIMEOUT, max_losses=50, backoff=[5, 20])
def work(ctx: JobContext, number: int, seconds: float, ends: str, key: str = "") -> None:
    if ends == "badly" or (ends == "once" and ctx.attempt == 1):
        raise Failure(f"job {number}")
    if ends == "fails":
        ctx.fail("told to")


def lasts(execution: Execution) -> float:
    """For how many seconds a job runs."""
    return float(execution.arguments.seconds)  # type: ignore[attr-defined]


class Pushed(Struct):
    """Jobs whose push returned, by their numbers: one, the links of a chain, or those of a batch.

    `good`: whether it ends well. `then`, `catch` and `finally_` are the callbacks of a batch.
    """

    kind: str
    id: UUID
    numbers: list[int]
    good: list[bool]
    batch: Batch | None = None
    catch: int = 0
    then: int = 0
    finally_: int = 0
    cancelled: bool = False


class Load:
    """Programs that push jobs, one thing at a time."""

    def __init__(self, world: World, app: "Packhorse", truth: "Truth") -> None:
        self.world = world
        self.app = app
        self.truth = truth
        self.pushed: list[Pushed] = []
        self.keys: set[str] = set()
        self._numbers = 0
        can = truth.capabilities
        self._kinds = [kind for kind in KINDS if can.groups or kind != "group"]

    def push(self) -> None:
        """Pushes something; what raises may be there or not."""
        kind = self.world.dice.choice(self._kinds)
        try:
            getattr(self, f"_push_{kind}")()
        except ConnectionLost:
            self.world.tell(f"does not know what became of its {kind}")

    def cancel(self) -> None:
        """Cancels a batch."""
        batches = [one for one in self.pushed if one.batch is not None and not one.cancelled]
        if not batches:
            return
        one = self.world.dice.choice(batches[-5:])
        assert one.batch is not None
        one.cancelled = True
        with suppress(ConnectionLost):
            one.batch.cancel()

    def work(self, ends: str = "", key: str = "") -> tuple[int, bool, Pending[Any]]:
        """A job, its number, and whether it ends well."""
        dice = self.world.dice
        self._numbers += 1
        ends = ends or dice.choice(("well", "well", "well", "well", "once", "badly", "fails"))
        seconds = dice.choice((0.0, 0.1, 1.0, 1.0, 5.0, 20.0, 75.0, 75.0))
        seconds = TOO_LONG if dice.random() < 0.03 else seconds
        good = ends in ("well", "once") and seconds < TIMEOUT
        bound = work.bind(self._numbers, seconds, ends, key)
        delay = dice.choice((0.0, 0.0, 0.0, 3.0, 50.0))
        if delay and self.truth.capabilities.max_delay != 0.0:
            bound = bound.using(delay=delay)
        return self._numbers, good, bound

    def fresh(self, key: str) -> int:
        """Pushes one more unique job with a key that nobody holds any more; gives its number."""
        number, _, _ = self.work("well", key)
        bound = work.using(unique=Unique(key)).bind(number, 0.0, "well", key)
        handle = bound.dispatch()
        self.pushed.append(Pushed("unique", handle.id, [number], [True]))
        return number

    def _push_single(self) -> None:
        number, good, bound = self.work()
        handle = bound.dispatch()
        self.pushed.append(Pushed("single", handle.id, [number], [good]))

    def _push_unique(self) -> None:
        dice = self.world.dice
        name = dice.choice("abcd")
        until = "reserved" if name == "d" else "done"
        window = WINDOW if name == "c" else 0.0
        on_taken = "replace" if name == "b" else "keep"
        self.keys.add(name)
        before, began = self.truth.serial, self.world.now
        number, good, bound = self.work(key="" if name == "d" else name)
        handle = bound.using(
            unique=Unique(name, until=until, window=window, on_taken=on_taken)  # type: ignore[arg-type]
        ).dispatch()
        own = self.truth.known.get(handle.id)
        sent = own is not None and own.serial > before and not handle.skipped
        # A push that stands still for so long may lose its key to another before it is sent.
        if sent and on_taken == "keep" and self.world.now - began < SENDING:
            self.pushed.append(Pushed("unique", handle.id, [number], [good]))

    def _push_group(self) -> None:
        number, good, bound = self.work()
        handle = bound.using(group=self.world.dice.choice("xyz")).dispatch()
        self.pushed.append(Pushed("group", handle.id, [number], [good]))

    def _push_chain(self) -> None:
        links = [self.work() for _ in range(self.world.dice.choice((2, 3, 5)))]
        number, _, _ = self.work("well")
        made = chain(*(bound for _, _, bound in links)).catch(work.bind(number, 0.0, "well"))
        handle = made.dispatch()
        for place in range(1, len(links)):
            self.truth.after[link_id(handle.id, place)] = link_id(handle.id, place - 1)
        one = Pushed("chain", handle.id, [n for n, _, _ in links], [good for _, good, _ in links])
        one.catch = number
        self.pushed.append(one)

    def _push_batch(self) -> None:
        members = [self.work() for _ in range(self.world.dice.choice((1, 3, 6)))]
        callbacks = [self.work("well")[0] for _ in range(3)]
        then, caught, finally_ = (work.bind(number, 0.0, "well") for number in callbacks)
        made = batch([bound for _, _, bound in members]).then(then).catch(caught)
        made = made.finally_(finally_).allow_failures(self.world.dice.random() < 0.5)
        pushed = made.dispatch()
        one = Pushed("batch", pushed.id, [n for n, _, _ in members], [g for _, g, _ in members])
        one.batch = pushed
        one.then, one.catch, one.finally_ = callbacks
        self.pushed.append(one)


class Client(Process):
    """A program that pushes now and then."""
