"""What is so on the broker, as seen from behind all faults; it checks each call against the promises.

Where a broker keeps ids, fences and rewrites in place, the counters of each message are followed
exactly; elsewhere copies of a message are told apart by their tokens.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.driver.contract import Driver
from packhorse.driver.message import Delivery, Message, Refusal, Renewed
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Settled
from packhorse.ids import derived_id
from packhorse.testing.simulation.keys import Keys
from packhorse.testing.simulation.runs import Run, Runs
from packhorse.testing.simulation.world import SLACK, Process, World, short
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope
from packhorse.worker.execution import Execution

if TYPE_CHECKING:
    from packhorse.testing.simulation.slow import SlowWorker


class Known:
    """What is known of one message; `first`: a dead worker had it, and whoever saw that gave it back."""

    def __init__(self, message: Message, serial: int) -> None:
        self.message = message
        self.serial = serial
        self.live = True
        self.superseded = False
        self.first = False
        self.token: bytes | None = None
        self.worker: Process | None = None
        self.lease_end = 0.0
        self.since = 0.0
        self.deliveries = 0
        self.lost = 0
        self.failed = 0


class Truth:
    """The messages of one broker.

    `after` names for the links of chains what they follow, `buried` what has ever failed for good,
    `early` the batches that were called back before they were over, and why that is thought.
    """

    def __init__(self, world: World, driver: Driver, lease: float) -> None:
        self.world = world
        self.lease = lease
        self.capabilities = can = driver.capabilities
        self.exact = can.fencing == "broker" and can.known_ids and can.rewrite == "in_place"
        self.keys = Keys(world)
        self.runs = Runs(world, can)
        self.known: dict[UUID, Known] = {}
        self.after: dict[UUID, UUID] = {}
        self.buried: set[UUID] = set()
        self.early: dict[UUID, str] = {}
        self.awake: Callable[[], None] = lambda: None
        self.serial = 0
        self._order: defaultdict[tuple[str, str], list[UUID]] = defaultdict(list)
        self._members: defaultdict[UUID, set[UUID]] = defaultdict(set)
        self._over: set[UUID] = set()
        self._taken: set[UUID] = set()

    def stored(self, message: Message, superseded: UUID | None = None) -> None:
        """A message is on the broker."""
        id = message.id
        parent = self.after.get(id)
        if parent is not None and self.capabilities.follow == "atomic" and parent not in self._over:
            self.world.fail(
                f"{short(id)} is sent before {short(parent)}, which it follows, is over"
            )
        if superseded in self.known:
            self.known[superseded].superseded = True
        if self.capabilities.unique:
            self.keys.given(message, superseded)
        self.serial += 1
        self.known[id] = Known(message, self.serial)
        if message.group is not None:
            self._order[message.queue, message.group].append(id)
        self._of_batch(message)

    def _of_batch(self, message: Message) -> None:
        batch = open_body(open_envelope(message.body), {}, Body).batch
        if batch is None:
            return
        if batch.member:
            self._members[batch.id].add(message.id)
        elif message.id in (derived_id(batch.id, "then 0"), derived_id(batch.id, "finally 0")):
            running = [short(one) for one in self._members[batch.id] if one not in self._over]
            if running and self.exact:
                self.early[batch.id] = (
                    f"{short(message.id)} was sent before {' '.join(running)} ended"
                )

    def members(self, batch: UUID) -> str:
        """The members of a batch that were sent, by their names."""
        return " ".join(short(id) for id in self._members[batch])

    def reserved(self, deliveries: Sequence[Delivery], limit: int, worker: Process) -> None:
        """Deliveries were handed out, of up to so many."""
        if self.exact:
            self._ended_first([one.message.id for one in deliveries], limit)
        for delivery in deliveries:
            self._handed_out(delivery, worker)

    def _ended_first(self, handed_out: Sequence[UUID], limit: int) -> None:
        """What a worker has lost comes before anything else."""
        ended = {id for id in self._taken if self._comes_first(self.known[id])}
        late = ended.difference(handed_out)
        if late and (len(handed_out) < limit or not ended.issuperset(handed_out)):
            self.world.fail(f"{short(late.pop())} is not handed out, though its lease has ended")

    def _comes_first(self, one: Known) -> bool:
        return one.first or (one.token is not None and one.lease_end < self.world.now)

    def _handed_out(self, delivery: Delivery, worker: Process) -> None:
        now, message = self.world.now, delivery.message
        one = self.known.get(message.id)
        if one is None or not one.live:
            self.world.fail(
                f"{short(message.id)} is handed out, though it is over or was never sent"
            )
        if one.token is not None and self.exact:
            if now < one.lease_end:
                self.world.fail(f"{short(message.id)} is handed out before its lease ends")
            self._healthy(one)
        if message.group is not None and not delivery.superseded and not delivery.cancelled:
            self._first_of_group(message)
        unique = message.unique
        if unique is not None and unique.until == "reserved":
            self.keys.freed(message)
        one.token, one.worker, one.since = delivery.token, worker, now
        one.lease_end = now + self.lease
        one.deliveries += 1
        one.first = False
        self._taken.add(message.id)

    def _healthy(self, one: Known) -> None:
        """A lease may only end under a worker that was in trouble."""
        before, run = one.worker, self.runs.of(one.token)
        if before is None or before.dead or before.troubled >= one.since - SLACK:
            return
        if run is None or run.late() or run.execution.lost:
            return
        self.world.fail(f"the lease of {short(one.message.id)} ended under a worker in good health")

    def _first_of_group(self, message: Message) -> None:
        for id in self._order[message.queue, message.group or ""]:
            if id == message.id:
                return
            one = self.known[id]
            if one.live and not one.superseded:
                self.world.fail(
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
            self.world.fail(f"a token of {short(id)} that is not current any more settled it")
        self.world.tell(f"{type(outcome).__name__} {short(id)}")
        self.awake()
        self._taken.discard(id)
        if isinstance(outcome, Done | Dead):
            self._end(one, outcome)
        elif isinstance(outcome, Retry):
            one.token = None
            one.lost += one.deliveries - 1
            one.deliveries = 0
            one.failed = self.runs.failures(delivery.token, one.failed)
        else:
            one.token = None
            one.deliveries -= 1

    def _end(self, one: Known, outcome: Done | Dead) -> None:
        id = one.message.id
        self._over.add(id)
        if isinstance(outcome, Done):
            self.runs.done(outcome.delivery.token, id, self.exact)
        else:
            self.buried.add(id)
        if self.exact:
            one.live, one.token = False, None
            self.keys.freed(one.message)
        for message in outcome.follow:
            if message.id not in self.known or not self.exact:
                self.stored(message)

    def renewed(self, delivery: Delivery, answer: Renewed) -> None:
        """A lease was renewed, or not."""
        one = self.known.get(delivery.message.id)
        if one is None or isinstance(answer, Refusal):
            return
        if self.exact and one.token != delivery.token:
            self.world.fail(
                f"a token of {short(delivery.message.id)} that is not current renewed it"
            )
        one.lease_end = self.world.now + self.lease

    def rescued(
        self, worker: str, keep: Collection[bytes], blamed: Collection[UUID] | None
    ) -> None:
        """What a worker held was given back."""
        for id in self._taken:
            one = self.known[id]
            if one.token is None or one.worker is None or one.worker.name != worker:
                continue
            if one.token not in keep:
                one.token = None
                one.first = blamed is not None and id in blamed
                one.deliveries -= not one.first
        self.awake()

    def started(self, execution: Execution, worker: "SlowWorker") -> None:
        """A handler starts."""
        self.runs.started(Run(execution, worker, worker.renews_late))
        one = self.known.get(execution.delivery.message.id)
        if self.exact and one is not None and one.token == execution.delivery.token:
            self._check_counters(execution, one)

    def _check_counters(self, execution: Execution, one: Known) -> None:
        name, facts, fail = short(one.message.id), execution.facts, self.world.fail
        lost = one.lost + one.deliveries - 1
        if facts.lost != lost:
            fail(f"{name} was lost {lost} times, and {facts.lost} are counted")
        if facts.failed != one.failed:
            fail(f"{name} failed {one.failed} times, and {facts.failed} are counted")
        if lost > execution.policy.max_losses:
            fail(f"{name} runs after {lost} losses")
        if execution.policy.tries and one.failed >= execution.policy.tries:
            fail(f"{name} runs after {one.failed} failures")
