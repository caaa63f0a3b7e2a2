"""What a broker with unique keys and groups must do: one list of messages, looked through each time."""

from typing import TYPE_CHECKING, Literal, Protocol
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from packhorse.driver.memory import MemoryDriver
from packhorse.driver.message import Counts, Delivery, Message, Sent, State, Unique
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return

if TYPE_CHECKING:
    from packhorse_redis.driver import RedisDriver
    from packhorse_sql.driver import SqlDriver

    ModelledDriver = MemoryDriver | SqlDriver | RedisDriver

LEASE = 30.0


class Modelled(Struct):
    """One message as the model sees it; `first` and `window` are its key's, as moments."""

    message: Message
    moment: float
    state: Literal["waiting", "leased", "parked", "dead"] = "waiting"
    token: bytes = b""
    end: float = 0.0
    holds: bool = False
    first: float = 0.0
    window: float = 0.0
    cancelled: bool = False
    superseded: bool = False


class Model:
    """All that was sent, in that order."""

    def __init__(self) -> None:
        self.now = 0.0
        self.all: list[Modelled] = []
        self.known: dict[UUID, float] = {}
        self.windows: dict[tuple[str, str], tuple[UUID, float]] = {}

    def live(self) -> list[Modelled]:
        return [each for each in self.all if each.state != "dead"]

    def holder(self, queue: str, key: str) -> Modelled | UUID | None:
        """Who holds a key, or the id of who left it to its window."""
        for each in self.live():
            unique = each.message.unique
            if (
                each.holds
                and unique is not None
                and (each.message.queue, unique.key) == (queue, key)
            ):
                return each
        id, end = self.windows.get((queue, key), (UUID(int=0), self.now))
        return id if end > self.now else None

    def send(self, message: Message) -> Sent:
        if self.known.get(message.id, self.now) > self.now or self.find(message.id):
            return Sent(message.id, "known")
        delay, first, old, unique = message.delay, self.now, None, message.unique
        if unique is not None:
            old = self.holder(message.queue, unique.key)
            if isinstance(old, UUID):
                return Sent(message.id, "taken", old)
            if old is not None:
                if unique.on_taken == "keep" or old.state == "leased" or old.cancelled:
                    return Sent(message.id, "taken", old.message.id)
                old.holds, old.superseded, first = False, True, old.first
                self.hasten(old)
            if unique.max_wait is not None:
                delay = max(0.0, min(delay, first + unique.max_wait - self.now))
        self.enter(message, delay, first)
        replaced = old.message.id if isinstance(old, Modelled) else None
        return Sent(message.id, "stored", superseded=replaced)

    def enter(self, message: Message, delay: float, first: float) -> None:
        entered = Modelled(message, self.now + delay)
        if message.unique is not None:
            self.windows.pop((message.queue, message.unique.key), None)
            entered.holds, entered.first = True, first
            entered.window = self.now + message.unique.window
        self.all.append(entered)
        self.park(entered)

    def park(self, entered: Modelled) -> None:
        if entered.message.group is not None:
            entered.state = "parked"
            self.promote()

    def promote(self) -> None:
        """Gives each group without a head the first of those that are parked."""
        for each in self.live():
            group = [one for one in self.live() if one.message.group is not None]
            group = [one for one in group if place(one) == place(each)]
            if group and all(one.state == "parked" for one in group):
                group[0].state = "waiting"

    def hasten(self, one: Modelled) -> None:
        if one.state == "parked":
            one.message, one.state = replace(one.message, group=None), "waiting"
        if one.state == "waiting":
            one.moment = min(one.moment, self.now)

    def let_go(self, one: Modelled) -> None:
        """Frees its key, but for the window."""
        unique = one.message.unique
        if one.holds and unique is not None:
            one.holds = False
            if one.window > self.now:
                self.windows[one.message.queue, unique.key] = one.message.id, one.window

    def gone(self, one: Modelled) -> None:
        self.let_go(one)
        if one.message.once:
            self.known[one.message.id] = self.now + one.message.once
        self.all.remove(one)
        self.promote()

    def bury(self, one: Modelled) -> None:
        self.let_go(one)
        one.state, one.token = "dead", b""
        self.promote()

    def revive(self, message: Message) -> Sent:
        dead = self.find(message.id)
        if dead is None or dead.state != "dead":
            return Sent(message.id, "known")
        if message.unique is not None:
            holder = self.holder(message.queue, message.unique.key)
            holder = holder.message.id if isinstance(holder, Modelled) else holder
            if holder not in (None, message.id):
                return Sent(message.id, "taken", holder)
        self.all.remove(dead)
        self.enter(message, message.delay, self.now)
        return Sent(message.id, "stored")

    def move(self, one: Modelled, queue: str) -> bool:
        if one.state in ("leased", "dead"):
            return False
        message = one.message
        if message.queue == queue:
            return True
        if one.holds and message.unique is not None:
            if self.holder(queue, message.unique.key) not in (None, message.id):
                return False
            self.windows.pop((queue, message.unique.key), None)
        one.message = replace(message, queue=queue)
        self.park(one)
        self.promote()
        return True

    def find(self, id: UUID) -> Modelled | None:
        return next((each for each in self.all if each.message.id == id), None)

    def held(self, token: bytes) -> Modelled | None:
        return next((each for each in self.all if token and each.token == token), None)

    def state(self, one: Modelled) -> State:
        return "delayed" if one.state == "waiting" and one.moment > self.now else one.state

    def counts(self, queue: str) -> Counts:
        states = [self.state(each) for each in self.all if each.message.queue == queue]
        ready, delayed = states.count("waiting"), states.count("delayed")
        return Counts(ready, delayed, states.count("leased"), parked=states.count("parked"))


def place(one: Modelled) -> tuple[str, str | None]:
    """The group that a message is in."""
    return one.message.queue, one.message.group


class Advances(Protocol):
    """A clock that is set on by hand."""

    def advance(self, seconds: float) -> None: ...


class Pair:
    """A driver and its model, which get the same steps and must agree after each."""

    def __init__(self, driver: "ModelledDriver", clock: Advances, number: int) -> None:
        self.driver, self.clock, self.model = driver, clock, Model()
        self.worker = f"worker-{number}"
        self.consumer = driver.consumer(self.worker)
        self.queues = {name: f"{name}{number}" for name in "xy"}
        self.ids = iter(range(number << 32, (number + 1) << 32))
        self.sent: list[Message] = []
        self.deliveries: list[Delivery] = []

    def step(self, verb: str, value: object) -> None:
        getattr(self, verb)(value)
        for queue in self.queues.values():
            assert self.driver.counts(queue) == self.model.counts(queue)
        found = self.driver.get([each.id for each in self.sent])
        for message, listed in zip(self.sent, found, strict=True):
            one = self.model.find(message.id)
            assert (listed is None) == (one is None)
            if listed is not None and one is not None:
                assert listed.state == self.model.state(one)
                assert (listed.cancelled, listed.superseded) == (one.cancelled, one.superseded)
                assert listed.message.queue == one.message.queue
                assert (listed.message.unique, listed.message.group) == (
                    one.message.unique,
                    one.message.group,
                )

    def send(self, messages: list[Message]) -> None:
        messages = [
            replace(each, id=UUID(int=next(self.ids)), queue=self.queues[each.queue])
            for each in messages
        ]
        self.sent += messages
        assert self.driver.send(messages) == [self.model.send(each) for each in messages]

    def again(self, number: int) -> None:
        """Sends what was sent before."""
        again = [replace(each, body=b"again") for each in self.sent[number % 7 :: 7][:3]]
        assert self.driver.send(again) == [self.model.send(each) for each in again]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.model.now += seconds

    def reserve(self, _: object) -> None:
        queues = [*self.queues.values()]
        taken = self.consumer.reserve(queues, 1_000, 0).deliveries
        model = self.model
        expected = {
            each.message.id: each
            for each in model.all
            if (each.state == "leased" and each.end <= model.now)
            or (each.state == "waiting" and each.moment <= model.now)
        }
        assert {each.message.id for each in taken} == {*expected}
        for delivery in taken:
            one = expected[delivery.message.id]
            one.state, one.token, one.end = "leased", delivery.token, model.now + LEASE
            assert (delivery.cancelled, delivery.superseded) == (one.cancelled, one.superseded)
            if one.message.unique is not None and one.message.unique.until == "reserved":
                model.let_go(one)
        self.deliveries += taken

    def settle(self, number: int) -> None:
        if not self.deliveries:
            return
        delivery = self.deliveries[-1 - number % len(self.deliveries)]
        kinds: list[Outcome] = [
            Done(delivery),
            Dead(delivery, b"record"),
            Return(delivery),
            Retry(delivery, 0, b""),
            Retry(delivery, 4, b""),
        ]
        outcome, one = kinds[number % 5], self.model.held(delivery.token)
        assert self.consumer.settle([outcome]) == ["gone" if one is None else "applied"]
        if one is None:
            return
        if isinstance(outcome, Done):
            self.model.gone(one)
        elif isinstance(outcome, Dead):
            self.model.bury(one)
        else:
            one.state, one.token = "waiting", b""
            if isinstance(outcome, Retry):
                marked = one.cancelled or one.superseded
                one.moment = self.model.now + (0 if marked else outcome.delay)

    def cancel(self, number: int) -> None:
        for message in self.sent[number % 5 :: 5][:2]:
            one = self.model.find(message.id)
            (answer,) = self.driver.cancel([message.id])
            if one is None or one.state == "dead":
                assert answer == "gone"
                continue
            assert answer == ("leased" if one.state == "leased" else "marked")
            one.cancelled = True
            self.model.hasten(one)

    def move(self, number: int) -> None:
        ids = [each.id for each in self.sent[number % 3 :: 3][:3]]
        queue = self.queues["xy"[number % 2]]
        found = [one for one in self.model.all if one.message.id in ids]
        assert self.driver.move(ids, queue) == sum([self.model.move(one, queue) for one in found])

    def revive(self, number: int) -> None:
        dead = [each for each in self.model.all if each.state == "dead"]
        messages = [replace(each.message, delay=float(number % 2 * 4)) for each in dead[:2]]
        messages += self.sent[number % 3 :: 3][:1]
        assert self.driver.revive(messages) == [self.model.revive(each) for each in messages]

    def forget(self, number: int) -> None:
        chosen = [one for one in self.model.all if one.state == "dead"][: number % 2 + 1]
        assert self.driver.forget([one.message.id for one in chosen]) == len(chosen)
        for one in chosen:
            self.model.gone(one)

    def clear(self, number: int) -> None:
        states: list[State | None] = ["waiting", "delayed", "leased", "parked", "dead", None]
        state, queue = states[number % 6], self.queues["xy"[number % 2]]
        chosen = [
            one
            for one in self.model.all
            if one.message.queue == queue
            and (one.state != "dead" if state is None else self.model.state(one) == state)
        ]
        assert self.driver.clear(queue, state) == len(chosen)
        for one in chosen:
            self.model.gone(one)

    def rescue(self, number: int) -> None:
        held = [one for one in self.model.all if one.state == "leased"]
        keep = {one.token for one in held[: number % 2]}
        assert self.driver.rescue(self.worker, keep) == len(held) - len(keep)
        for one in held:
            if one.token not in keep:
                one.state, one.token = "waiting", b""

    def finish(self) -> None:
        """Every message comes out in the end, and no key is held then."""
        while self.model.live():
            self.step("advance", 50.3)
            self.step("reserve", 0)
            for one in [one for one in self.model.all if one.state == "leased"]:
                (delivery,) = [each for each in self.deliveries if each.token == one.token]
                assert self.consumer.settle([Done(delivery)]) == ["applied"]
                self.model.gone(one)
        self.step("advance", 50.3)
        for key in "ab":
            for queue in self.queues.values():
                self.send_plain(queue, key)

    def send_plain(self, queue: str, key: str) -> None:
        (answer,) = self.driver.send(
            [Message(UUID(int=next(self.ids)), queue, b"", unique=Unique(key))]
        )
        assert answer.state == "stored"
