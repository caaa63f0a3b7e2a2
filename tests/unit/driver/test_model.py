"""The memory driver against a model too simple to be wrong: one list, sorted anew each time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from packhorse.driver.message import CANCELLED, LOST, Counts, Delivery
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing import ManualClock
from tests.unit.driver.opening import QUEUE, memory, message

if TYPE_CHECKING:
    from tests.unit.driver.keys_model import Advances, ModelledDriver

LEASE = 30.0


class Modelled(Struct):
    """One message as the model sees it."""

    id: UUID
    moment: float
    sequence: int
    state: Literal["waiting", "leased"] = "waiting"
    token: bytes = b""
    end: float = 0.0
    deliveries: int = 0
    first: bool = False
    cancelled: bool = False


def place(modelled: Modelled) -> tuple[float, int]:
    """Where a message stands among its like."""
    return modelled.moment, modelled.sequence


class Model:
    """Says what the driver must do."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sequence = 0
        self.messages: list[Modelled] = []

    def next(self) -> int:
        self.sequence += 1
        return self.sequence

    def expected(self, limit: int) -> list[Modelled]:
        again = [m for m in self.messages if m.first or (m.state == "leased" and m.end <= self.now)]
        due = [m for m in self.messages if m.state == "waiting" and m.moment <= self.now]
        due = [m for m in due if not m.first]
        return (sorted(again, key=place) + sorted(due, key=place))[:limit]

    def held(self, token: bytes) -> Modelled | None:
        return next((m for m in self.messages if m.state == "leased" and m.token == token), None)

    def counts(self) -> Counts:
        waiting = [m for m in self.messages if m.state == "waiting"]
        delayed = sum(m.moment > self.now for m in waiting)
        return Counts(len(waiting) - delayed, delayed, len(self.messages) - len(waiting))


class Pair:
    """A driver and its model, which get the same steps and must agree after each."""

    def __init__(self, driver: "ModelledDriver", clock: "Advances") -> None:
        self.clock, self.driver = clock, driver
        self.consumer = self.driver.consumer("worker")
        self.model = Model()
        self.deliveries: list[Delivery] = []

    def step(self, verb: str, number: int) -> None:
        getattr(self, verb)(number)
        assert self.driver.counts(QUEUE) == self.model.counts()

    def send(self, number: int) -> None:
        for delay in (0, number % 7)[: 1 + number % 2]:
            sequence, moment = self.model.next(), self.model.now + delay
            sent = message(id=UUID(int=sequence), delay=float(delay))
            self.driver.send([sent])
            self.model.messages.append(Modelled(sent.id, moment, sequence))

    def advance(self, number: int) -> None:
        self.clock.advance(2 * number)
        self.model.now += 2 * number

    def reserve(self, number: int) -> None:
        limit = number % 5
        taken = self.consumer.reserve([QUEUE], limit, 0).deliveries
        expected = self.model.expected(limit)
        assert [each.message.id for each in taken] == [each.id for each in expected]
        for delivery, modelled in zip(taken, expected, strict=True):
            modelled.state, modelled.first = "leased", False
            modelled.token, modelled.end = delivery.token, self.model.now + LEASE
            modelled.deliveries += 1
            assert delivery.deliveries == modelled.deliveries
            assert delivery.cancelled == modelled.cancelled
        self.deliveries += taken

    def settle(self, number: int) -> None:
        if not self.deliveries:
            return
        delivery = self.deliveries[number % len(self.deliveries)]
        kinds: list[Outcome] = [
            Done(delivery),
            Dead(delivery, b"record"),
            Return(delivery),
            Retry(delivery, 0, b""),
            Retry(delivery, 4, b""),
        ]
        outcome = kinds[number % 5]
        held = self.model.held(delivery.token)
        assert self.consumer.settle([outcome]) == ["gone" if held is None else "applied"]
        if held is None:
            return
        held.state = "waiting"
        if isinstance(outcome, Done | Dead):
            self.model.messages.remove(held)
        elif isinstance(outcome, Return):
            held.deliveries -= 1
        else:
            delay = 0 if held.cancelled else outcome.delay
            held.moment, held.deliveries = self.model.now + delay, 0
            held.sequence = self.model.next()

    def renew(self, number: int) -> None:
        if self.deliveries:
            delivery = self.deliveries[number % len(self.deliveries)]
            held = self.model.held(delivery.token)
            (answer,) = self.consumer.renew([delivery])
            if held is None:
                assert answer is LOST
            else:
                assert (answer is CANCELLED) == held.cancelled
                held.end = self.model.now + LEASE

    def cancel(self, number: int) -> None:
        if self.model.messages:
            modelled = self.model.messages[number % len(self.model.messages)]
            (answer,) = self.driver.cancel([modelled.id])
            assert answer == ("leased" if modelled.state == "leased" else "marked")
            modelled.cancelled = True
            if modelled.state == "waiting" and modelled.moment > self.model.now:
                modelled.moment, modelled.sequence = self.model.now, self.model.next()

    def rescue(self, number: int) -> None:
        held = [each for each in self.model.messages if each.state == "leased"]
        keep = {each.token for each in held[: number % 3]}
        blamed = {each.id for each in held if each.id.int % 2}
        assert self.driver.rescue("worker", keep, blamed) == len(held) - len(keep)
        for modelled in held:
            if modelled.token not in keep:
                modelled.state, modelled.first = "waiting", modelled.id in blamed
                modelled.deliveries -= modelled.id not in blamed


VERBS = ["send", "send", "reserve", "reserve", "settle", "settle", "advance", "renew"]
STEPS = st.tuples(st.sampled_from([*VERBS, "cancel", "rescue"]), st.integers(0, 40))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_the_driver_does_what_the_model_says(steps: list[tuple[str, int]]) -> None:
    clock = ManualClock(monotonic=0.0)
    agree(memory(clock=clock, lease=LEASE), clock, steps)


def agree(driver: "ModelledDriver", clock: "Advances", steps: Sequence[tuple[str, int]]) -> None:
    """Takes the steps, on a driver that holds nothing yet."""
    pair = Pair(driver, clock)
    for verb, number in steps:
        pair.step(verb, number)
    pair.advance(1_000)
    pair.reserve(4)
