"""What is so on the broker, as seen from behind all faults; it checks each call against the promises.

Where a broker keeps ids, fences and rewrites in place, the counters of each message are followed
exactly; elsewhere copies of a message are told apart by their tokens.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.driver.contract import Driver
from packhorse.driver.message import Delivery, Message, Refusal, Renewed
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Settled
from packhorse.testing.simulation.world import BrokenPromise, Process, World
from packhorse.worker.attempt import Again, Finish, Verdict
from packhorse.worker.execution import Execution

if TYPE_CHECKING:
    from packhorse.testing.simulation.slow import SlowWorker

SLACK = 5.0
"""Seconds that a turn may come late without being late."""


class Known:
    """What is known of one message."""

    def __init__(self, message: Message, serial: int) -> None:
        self.message = message
        self.serial = serial
        self.live = True
        self.superseded = False
        self.token: bytes | None = None
        self.worker: Process | None = None
        self.lease_end = 0.0
        self.since = 0.0
        self.deliveries = 0
        self.lost = 0
        self.failed = 0


class Truth:
    """The messages of one broker, and who runs what."""

    def __init__(self, world: World, driver: Driver, lease: float) -> None:
        can = driver.capabilities
        self.world = world
        self.lease = lease
        self.fenced = can.fencing == "broker"
        self.exact = self.fenced and can.known_ids and can.rewrite == "in_place"
        self.atomic = can.follow == "atomic"
        self.capabilities = can
        self.known: dict[UUID, Known] = {}
        self.sent: dict[UUID, int] = {}
        self.order: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
        self.effects: Counter[int] = Counter()
        self.buried: set[UUID] = set()
        self.over: set[UUID] = set()
        self.batches: dict[UUID, list[int]] = {}
        self.after: dict[UUID, Sequence[UUID]] = {}
        self.awake: Callable[[], None] = lambda: None
        self.jobs = 0
        self.serial = 0
        self._runs: dict[bytes, tuple[Execution, SlowWorker]] = {}
        self._ran: dict[bytes, tuple[int, Verdict]] = {}
        self._by_copy: set[int] = set()
        self._finished: dict[UUID, int] = {}
        self._failing: dict[bytes, int] = {}
        self._holders: dict[tuple[str, str], UUID] = {}
        self._windows: dict[tuple[str, str], float] = {}

    def fail(self, text: str) -> None:
        """A promise is broken."""
        self.world.tell(f"BROKEN: {text}")
        raise BrokenPromise(text)

    def stored(self, message: Message, superseded: UUID | None = None) -> None:
        """A message is on the broker."""
        id = message.id
        for parent in self.after.get(id, ()):
            if self.atomic and parent not in self.over:
                self.fail(f"{short(id)} is sent before {short(parent)}, which it follows, is over")
        if self.exact and not all(self.effects[one] for one in self.batches.get(id, ())):
            self.fail(
                f"{short(id)} says that a batch has succeeded, before all of its members have"
            )
        if superseded is not None and superseded in self.known:
            self.known[superseded].superseded = True
        if self.capabilities.unique and message.unique is not None:
            self._take_key(message)
        self.serial += 1
        self.known[id] = Known(message, self.serial)
        self.sent[id] = self.sent.get(id, 0) + 1
        if message.group is not None:
            self.order[message.queue, message.group].append(id)

    def taken(self, message: Message, holder: UUID | None) -> None:
        """A message did not get its key."""
        unique = message.unique
        assert unique is not None
        key = (message.queue, unique.key)
        if key not in self._holders and self._windows.get(key, 0.0) < self.world.now:
            self.fail(f"key {unique.key!r} is refused, though nobody holds it")

    def _take_key(self, message: Message) -> None:
        unique = message.unique
        assert unique is not None
        key = (message.queue, unique.key)
        holder = self._holders.get(key)
        if holder is not None and not self.known[holder].superseded:
            self.fail(f"key {unique.key!r} is given to a second message, {short(holder)} lives")
        self._holders[key] = message.id
        self._windows[key] = self.world.now + unique.window

    def _free_key(self, message: Message) -> None:
        if message.unique is not None:
            key = (message.queue, message.unique.key)
            if self._holders.get(key) == message.id:
                del self._holders[key]

    def reserved(self, deliveries: Sequence[Delivery], worker: Process) -> None:
        """Deliveries were handed out."""
        now = self.world.now
        for delivery in deliveries:
            message = delivery.message
            one = self.known.get(message.id)
            if one is None or not one.live:
                self.fail(f"{short(message.id)} is handed out, though it is over or was never sent")
                return
            if one.token is not None and self.exact:
                if now < one.lease_end:
                    self.fail(f"{short(message.id)} is handed out before its lease ends")
                self._healthy(one)
            if message.group is not None and not delivery.superseded and not delivery.cancelled:
                self._first_of_group(message)
            unique = message.unique
            if unique is not None and unique.until == "reserved":
                self._free_key(message)
            one.token, one.worker, one.since = delivery.token, worker, now
            one.lease_end = now + self.lease
            one.deliveries += 1

    def _healthy(self, one: Known) -> None:
        """A lease may only end under a worker that was in trouble."""
        before = one.worker
        if before is None or before.dead or before.troubled >= one.since - SLACK:
            return
        held = self._runs.get(one.token or b"")
        if held is None:
            return
        execution, worker = held
        due = worker.keep.due
        late = due is not None and due < self.world.now - SLACK
        if worker.keep.busy or late or execution.lost:
            return
        self.fail(f"the lease of {short(one.message.id)} ended under a worker in good health")

    def _first_of_group(self, message: Message) -> None:
        line = self.order[message.queue, message.group or ""]
        for id in line:
            if id == message.id:
                return
            one = self.known[id]
            if one.live and not one.superseded:
                self.fail(
                    f"{short(message.id)} is handed out before {short(id)}, the first of its group"
                )

    def settled(self, outcome: Outcome, answer: Settled) -> None:
        """An outcome was told to the broker."""
        delivery = outcome.delivery
        id = delivery.message.id
        one = self.known.get(id)
        if answer != "applied" or one is None:
            return
        if self.exact and (one.token != delivery.token or not one.live):
            self.fail(f"a token of {short(id)} that is not current any more settled it")
        self.world.tell(f"{type(outcome).__name__} {short(id)}")
        self.awake()
        if isinstance(outcome, Done | Dead):
            self._end(one, outcome)
        elif isinstance(outcome, Retry):
            one.token = None
            one.lost += one.deliveries - 1
            one.deliveries = 0
            one.failed = self._failing.pop(delivery.token, one.failed)
        else:
            one.token = None
            one.deliveries -= 1

    def _end(self, one: Known, outcome: Done | Dead) -> None:
        id = one.message.id
        ran = self._ran.pop(outcome.delivery.token, None)
        self.over.add(id)
        if isinstance(outcome, Done) and ran is not None and isinstance(ran[1], Finish):
            if ran[0] not in self._by_copy:
                self._effect(ran[0], id)
        elif isinstance(outcome, Done) and not self.exact and id in self._finished:
            # It ran to its end, which its worker wrote down before it died; a copy only takes it off.
            number = self._finished[id]
            if not self.effects[number]:
                self.effects[number] = 1
                self._by_copy.add(number)
        if isinstance(outcome, Dead):
            self.buried.add(id)
        if self.exact:
            one.live, one.token = False, None
            self._free_key(one.message)
        for message in outcome.follow:
            if message.id not in self.known or not self.exact:
                self.stored(message)

    def _effect(self, number: int, id: UUID) -> None:
        self.effects[number] += 1
        if self.effects[number] > 1 and self.fenced:
            self.fail(f"job {number}, {short(id)}, has taken effect twice")

    def renewed(self, delivery: Delivery, answer: Renewed) -> None:
        """A lease was renewed, or not."""
        one = self.known.get(delivery.message.id)
        if one is None or isinstance(answer, Refusal):
            return
        if self.exact and one.token != delivery.token:
            self.fail(f"a token of {short(delivery.message.id)} that is not current renewed it")
        one.lease_end = self.world.now + self.lease

    def rescued(
        self, worker: str, keep: Collection[bytes], blamed: Collection[UUID] | None
    ) -> None:
        """What a worker held was given back."""
        for id, one in self.known.items():
            if one.live and one.token is not None and one.worker and one.worker.name == worker:
                if one.token in keep:
                    continue
                one.token = None
                if blamed is None or id not in blamed:
                    one.deliveries -= 1
        self.awake()

    def started(self, execution: Execution, worker: "SlowWorker") -> None:
        """A handler starts."""
        delivery, now = execution.delivery, self.world.now
        id = delivery.message.id
        self.jobs += 1
        self.world.tell(f"runs {execution.envelope.job} {short(id)}")
        name = id.bytes if self.exact else delivery.token[:8] if not self.fenced else id.bytes
        for token, (other, elsewhere) in list(self._runs.items()):
            if elsewhere.dead:
                del self._runs[token]
                continue
            twin = other.delivery.message.id.bytes if self.fenced else token[:8]
            if twin == name and now < other.deadline and not other.lost:
                self.fail(f"{short(id)} runs twice at once, its lease held by {elsewhere.name}")
            key = execution.arguments.key  # type: ignore[attr-defined]
            if key and key == other.arguments.key and now < other.deadline and not other.lost:  # type: ignore[attr-defined]
                self.fail(f"{short(id)} runs beside another that holds its key {key!r}")
        self._runs[delivery.token] = (execution, worker)
        one = self.known.get(id)
        if self.exact and one is not None and one.token == delivery.token:
            self._check_counters(execution, one)

    def _check_counters(self, execution: Execution, one: Known) -> None:
        id, facts = execution.delivery.message.id, execution.facts
        lost = one.lost + one.deliveries - 1
        if facts.lost != lost:
            self.fail(f"{short(id)} was lost {lost} times, and {facts.lost} are counted")
        if facts.failed != one.failed:
            self.fail(f"{short(id)} failed {one.failed} times, and {facts.failed} are counted")
        if lost > execution.policy.max_losses:
            self.fail(f"{short(id)} runs after {lost} losses")
        if execution.policy.tries and one.failed >= execution.policy.tries:
            self.fail(f"{short(id)} runs after {one.failed} failures")

    def ended(self, execution: Execution, verdict: Verdict) -> None:
        """A handler has ended."""
        token = execution.delivery.token
        self._runs.pop(token, None)
        self._ran[token] = (execution.arguments.number, verdict)  # type: ignore[attr-defined]
        if isinstance(verdict, Finish):
            self._finished[execution.delivery.message.id] = execution.arguments.number  # type: ignore[attr-defined]
        if isinstance(verdict, Again):
            self._failing[token] = verdict.failed

    def running(self, worker: Process) -> list[UUID]:
        """What a process runs, for whoever saw it die."""
        return [
            execution.delivery.message.id for execution, at in self._runs.values() if at is worker
        ]


def short(id: UUID) -> str:
    """An id as a trace shows it."""
    return id.hex[-6:]
