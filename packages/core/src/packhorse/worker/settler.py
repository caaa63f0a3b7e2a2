"""Tells the broker what became of deliveries, in groups: while one call is under way the next gathers."""

import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from packhorse.driver.contract import Consumer
from packhorse.driver.message import LOST
from packhorse.driver.outcome import Dead, Outcome, Return, Settled
from packhorse.errors import ConnectionLost
from packhorse.worker.asking import finish
from packhorse.worker.closing import Settlement, close_stopped
from packhorse.worker.companion import Companion
from packhorse.worker.courier import Courier
from packhorse.worker.fence import parted
from packhorse.worker.following import Consequences
from packhorse.worker.hand import Hand
from packhorse.worker.plan import trouble_pause
from packhorse.worker.records import complain, named, record_end
from packhorse.worker.site import Site
from packhorse.worker.telling import tell_lost, tell_settled
from packhorse.worker.threads import thread

GROUP = 1_000
"""Outcomes in one call at most: a bound on the size of a request and on how long a lock is held."""

TURNS, TURN = 10, 0.1
"""How often an outcome that the broker does not carry out is tried again, and seconds in between."""

_log = logging.getLogger("packhorse.worker")


class Settler:
    """A thread that takes settlements from all runners. `put` may be called from any thread."""

    def __init__(
        self,
        site: Site,
        consumer: Consumer,
        hand: Hand,
        companion: Companion | None,
        courier: Courier,
        troubled: Callable[[Exception, float], None],
    ) -> None:
        self._site = site
        self._consumer = consumer
        self._hand = hand
        self._companion = companion
        self._courier = courier
        self._troubled = troubled
        self._by_clock = site.connection.driver.capabilities.fencing == "clock"
        self._queue: queue.SimpleQueue[Settlement | None] = queue.SimpleQueue()
        self._refused: dict[bytes, int] = {}
        self._giving_up = threading.Event()
        self._thread = thread("settle", self._work)

    def start(self) -> None:
        self._thread.start()

    def put(self, settlement: Settlement) -> None:
        """Takes one settlement; it is told to the broker with the next group."""
        self._queue.put(settlement)

    @property
    def gathered(self) -> int:
        """How many settlements wait for the next group."""
        return self._queue.qsize()

    def stop(self, within: float) -> bool:
        """Settles what is left and ends; False if the broker did not take it in so many seconds."""
        self._queue.put(None)
        self._thread.join(within)
        self._giving_up.set()
        return not self._thread.is_alive()

    def settle_rest(self, more: Sequence[Settlement]) -> None:
        """Settles what `stop` has left over, and more, in the calling thread; it is tried once."""
        left = [self._queue.get() for _ in range(self._queue.qsize())]
        known = {each.outcome.delivery.token: each for each in more}
        known |= {each.outcome.delivery.token: each for each in left if each is not None}
        try:
            self._try(self._current(list(known.values())), repeated=False)
        except ConnectionLost as error:
            self._troubled(error, 0.0)

    def _work(self) -> None:
        ending = False
        while not ending or (self._refused and not self._giving_up.is_set()):
            ending = self.turn() or ending

    def turn(self) -> bool:
        """Settles what has gathered, or what comes first; whether `stop` was among it."""
        first = self._queue.get()
        more = [self._queue.get() for _ in range(min(self._queue.qsize(), GROUP - 1))]
        group = [each for each in (first, *more) if each is not None]
        self._count([each for each in group if each.outcome.delivery.token not in self._refused])
        self._settle(group)
        return len(group) <= len(more)

    def _count(self, group: list[Settlement]) -> None:
        ran = [each.execution for each in group if each.execution is not None]
        self._hand.count([each.duration for each in ran if each.started])

    def _settle(self, group: list[Settlement]) -> None:
        left, failures, repeated = self._current(group), 0, False
        while left and not self._giving_up.is_set():
            try:
                return self._try(left, repeated)
            except ConnectionLost as error:
                failures += 1
                repeated = True
                self._pause(error, failures)
                left = self._current(left, repeated)
        return None

    def _try(self, group: list[Settlement], repeated: bool) -> None:
        """Settles a group, in one call; raises `ConnectionLost`."""
        try:
            group = self._bring_before(group)
            outcomes: Sequence[Outcome] = [each.outcome for each in group]
            if self._companion is not None:
                outcomes = self._companion.keep(outcomes)
            brought = [each.brings for each in group if each.brings is not None]
            if brought:
                self._courier.count_first(brought)
            if self._by_clock:  # all that may have taken longer than the lease
                group = self._current(group, repeated)
                tokens = {each.outcome.delivery.token for each in group}
                outcomes = [one for one in outcomes if one.delivery.token in tokens]
            answers = self._consumer.settle(outcomes)
        except ConnectionLost:
            raise
        except Exception as error:
            self._settle_apart(group, error)
        else:
            self._take_answers(group, answers, repeated)

    def _bring_before(self, group: list[Settlement]) -> list[Settlement]:
        """What comes before; those whose follow-ups are refused fail for that."""
        passed = [one for each in group if (one := each.execution) is not None and one.passage]
        if passed:
            finish(passed)
        if all(each.brings is None for each in group):
            return group
        group = self._still_held(group)
        instead = self._courier.before(
            {each.outcome.delivery.token: each.brings for each in group if each.brings is not None}
        )
        if not instead:
            return group
        return [self._instead(each, instead.get(each.outcome.delivery.token)) for each in group]

    def _instead(self, settlement: Settlement, instead: Consequences | str | None) -> Settlement:
        if instead is None:
            return settlement
        if isinstance(instead, str):
            (stopped,) = self._bring_before([close_stopped(settlement, instead)])
            return stopped
        return msgspec.structs.replace(settlement, brings=instead)

    def _still_held(self, group: list[Settlement]) -> list[Settlement]:
        """Without those whose lease went to somebody else before anything of theirs goes ahead."""
        now = time.monotonic()
        late = [
            each
            for each in group
            if each.brings is not None
            and each.execution is not None
            and now >= each.execution.deadline
            and self._courier.early(each.brings)
        ]
        if not late:
            return group
        renewed = self._consumer.renew([each.outcome.delivery for each in late])
        lost = [each for each, answer in zip(late, renewed, strict=True) if answer is LOST]
        self._let_go(lost)
        gone = {each.outcome.delivery.token for each in lost}
        return [each for each in group if each.outcome.delivery.token not in gone]

    def _bring_after(
        self, applied: list[Consequences], unsure: list[Settlement], lost: list[Consequences]
    ) -> None:
        """What comes after; it is tried until it is done, but only once when the worker is ending.

        Of the `unsure` ones some were applied by a call whose reply was lost.
        """
        failures = 0
        while applied or unsure or lost:
            try:
                self._courier.lost(lost)
                answers = self._courier.applied([each.outcome for each in unsure])
                for each, so in zip(unsure, answers, strict=True):
                    if so and each.brings is not None:
                        applied.append(each.brings)
                    else:
                        self._forget(each)
                unsure = []
                return self._courier.after(applied)
            except ConnectionLost as error:
                if self._giving_up.is_set():
                    return None
                failures += 1
                self._pause(error, failures)
            except Exception:
                _log.exception("worker: what follows from settled jobs could not be carried out")
                return None
        return None

    def _forget(self, settlement: Settlement) -> None:
        """Somebody else settles it, and counts it."""
        if settlement.brings is not None and settlement.brings.counted is not None:
            self._courier.drop([settlement.brings.counted])

    def _settle_apart(self, group: list[Settlement], error: Exception) -> None:
        """One outcome that the driver chokes on must not hold up the others."""
        if len(group) > 1:
            for each in group:
                self._settle([each])
            return
        self._give_up(group[0], error)

    def _take_turns(self, group: list[Settlement]) -> None:
        """What the broker did not carry out is tried again behind what has gathered since."""
        for each in group:
            token = each.outcome.delivery.token
            turns = self._refused.get(token, 0) + 1
            if turns > TURNS:
                self._give_up(each, None)
            else:
                self._refused[token] = turns
                self._queue.put(each)
        if group:
            self._giving_up.wait(TURN)

    def _give_up(self, settlement: Settlement, error: Exception | None) -> None:
        delivery = settlement.outcome.delivery
        job = named(settlement.job, delivery.message)
        complain(job, "the outcome could not be settled, its lease will run out", error)
        self._drop([delivery.token])

    def _pause(self, error: Exception, failures: int) -> None:
        pause = trouble_pause(failures, random.random())
        self._troubled(error, pause)
        self._giving_up.wait(pause)

    def _current(self, group: list[Settlement], repeated: bool = False) -> list[Settlement]:
        """Where only the clock fences: without what must not be told any more."""
        if not self._by_clock:
            return group
        kept, over = parted(group, time.monotonic(), repeated)
        self._let_go(over)
        return kept

    def _take_answers(
        self, group: list[Settlement], answers: list[Settled], repeated: bool
    ) -> None:
        refused, brought, unsure, lost = [], [], [], []
        for each, answer in zip(group, answers, strict=True):
            if answer == "applied":
                tell_settled(self._site, each)
                record_end(each)
                self._hand.failed += isinstance(each.outcome, Dead)
                if each.brings is not None:
                    brought.append(each.brings)
            elif answer == "gone":
                self._lost(each, repeated)
                if repeated:
                    unsure.append(each)
                else:
                    self._forget(each)
                    if each.brings is not None:
                        lost.append(each.brings)
            else:
                refused.append(each)
        self._bring_after(brought, unsure, lost)
        again = {each.outcome.delivery.token for each in refused}
        self._drop([t for each in group if (t := each.outcome.delivery.token) not in again])
        self._take_turns(refused)

    def _drop(self, tokens: list[bytes]) -> None:
        self._hand.drop(tokens)
        if self._refused:
            for token in tokens:
                self._refused.pop(token, None)

    def _let_go(self, lost: list[Settlement]) -> None:
        """These are somebody else's, and what is said for that case is brought about."""
        for each in lost:
            self._lost(each, repeated=False)
        self._bring_after([], [], [each.brings for each in lost if each.brings is not None])

    def _lost(self, settlement: Settlement, repeated: bool) -> None:
        self._drop([settlement.outcome.delivery.token])
        if settlement.execution is not None and not isinstance(settlement.outcome, Return):
            tell_lost(settlement.execution, repeated)
