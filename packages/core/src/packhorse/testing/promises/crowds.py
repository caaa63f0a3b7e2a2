"""Crowds: many threads at once, and each message exactly once."""

import threading
import time
from collections import Counter

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Message
from packhorse.driver.outcome import Done, Outcome, Retry, Return
from packhorse.testing.promises.keyed import keyed
from packhorse.testing.promises.stage import QUEUE, Stage, drain, message, put, take
from packhorse.testing.running import Running

THREADS = 8
GROUPS = 7


class Crowds(Stage):
    """Threads and workers do not get in each other's way."""

    def work(self, driver: Driver, name: str, stop: threading.Event) -> list[bytes]:
        """Reserves and settles until all is done and `stop` is set; the bodies it settled."""
        consumer = driver.consumer(name)
        settled: list[bytes] = []
        try:
            while True:
                last = stop.is_set()
                deliveries = take(consumer, 20)
                answers = consumer.settle([Done(delivery) for delivery in deliveries])
                assert answers == ["applied"] * len(deliveries)
                settled += [delivery.message.body for delivery in deliveries]
                if last and not deliveries:
                    return settled
        finally:
            consumer.close()

    def test_each_of_many_messages_goes_to_one_thread_once(self, driver: Driver) -> None:
        sent = [b"%d" % number for number in range(self.crowd)]
        put(driver, *(message(body) for body in sent))
        stop = threading.Event()
        stop.set()
        workers = [Running(self.work, driver, f"crowd-{number}", stop) for number in range(THREADS)]
        settled = [body for worker in workers for body in worker.answer(within=60)]
        assert Counter(settled) == Counter(sent)

    def test_producers_and_consumers_at_once_lose_and_double_nothing(self, driver: Driver) -> None:
        each = self.crowd // (THREADS // 2)
        stop = threading.Event()

        def produce(name: int) -> None:
            for start in range(0, each, 10):
                put(driver, *(message(b"%d-%d" % (name, start + n)) for n in range(10)))

        workers = [
            Running(self.work, driver, f"crowd-{number}", stop) for number in range(THREADS // 2)
        ]
        producers = [Running(produce, number) for number in range(THREADS // 2)]
        for producer in producers:
            producer.answer(within=60)
        stop.set()
        settled = Counter(body for worker in workers for body in worker.answer(within=60))
        assert set(settled.values()) == {1}
        assert len(settled) == -(-each // 10) * 10 * (THREADS // 2)

    def test_one_consumer_reserves_renews_and_settles_in_three_threads(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        total = self.crowd // 10
        put(driver, *(message(b"%d" % number) for number in range(total)))
        held = take(consumer, 1)
        stop = threading.Event()

        def renew() -> int:
            rounds = 0
            while not stop.is_set():
                assert isinstance(consumer.renew(held)[0], float)
                rounds += 1
            return rounds

        renewing = Running(renew)
        handed: list[bytes] = []
        while deliveries := take(consumer, 7):
            first, *rest = deliveries
            back = [Return(first)] if rest else [Done(first)]
            settling = Running(consumer.settle, [*back, *(Done(each) for each in rest)])
            assert set(settling.answer()) == {"applied"}
            handed += [delivery.message.body for delivery in rest or [first]]
        stop.set()
        assert renewing.answer() >= 0
        assert Counter(handed) == Counter(b"%d" % number for number in range(1, total))
        assert consumer.settle([Done(held[0])]) == ["applied"]
        assert drain(consumer) == []
        assert driver.counts(QUEUE).ready == 0

    def test_of_many_threads_with_one_key_one_stores(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        for turn in range(max(5, self.crowd // 100)):
            rivals: list[list[Message]] = [[keyed(), keyed(key="two")] for _ in range(THREADS)]
            calls = [Running(driver.send, rival) for rival in rivals]
            answers = [answer for call in calls for answer in call.answer(within=60)]
            stored = {answer.id for answer in answers if answer.state == "stored"}
            assert len(stored) == 2, f"turn {turn}: {len(stored)} of two keys"
            assert {answer.holder for answer in answers if answer.state == "taken"} == stored
            consumer.settle([Done(each) for each in take(consumer)])

    def work_in_groups(
        self, driver: Driver, name: str, log: "GroupLog", total: int, until: float
    ) -> None:
        """Settles until `total` are done; each fifth is first given back."""
        consumer = driver.consumer(name)
        while log.count() < total:
            assert time.monotonic() < until, f"only {log.count()} of {total} are done"
            for delivery in take(consumer, 3):
                number = int(delivery.message.body)
                outcome: Outcome = Done(delivery)
                if log.begin(number):
                    again = Retry(delivery, 0, delivery.message.body)
                    outcome = again if number % 2 else Return(delivery)
                log.end(number)
                assert consumer.settle([outcome]) == ["applied"]
        consumer.close()

    def test_many_consumers_never_hold_two_of_a_group_and_keep_its_order(
        self, driver: Driver
    ) -> None:
        if not driver.capabilities.groups:
            return
        total, log = self.crowd // 4, GroupLog()
        sent = [message(b"%d" % n, group=f"group-{n % GROUPS}") for n in range(total)]
        put(driver, *sent[: total // 2])
        until = time.monotonic() + 4 * self.patience + self.crowd / 100
        workers = [
            Running(self.work_in_groups, driver, f"worker-{number}", log, total, until)
            for number in range(THREADS // 2)
        ]
        put(driver, *sent[total // 2 :])
        for worker in workers:
            worker.answer(within=60)
        assert log.done == {group: list(range(group, total, GROUPS)) for group in range(GROUPS)}


class GroupLog:
    """What of each group is held, what was given back, and what is done, in its order."""

    def __init__(self) -> None:
        self.done: dict[int, list[int]] = {group: [] for group in range(GROUPS)}
        self._held: set[int] = set()
        self._given_back: set[int] = set()
        self._lock = threading.Lock()

    def begin(self, number: int) -> bool:
        """Notes that a message is held; whether it is to be given back."""
        group = number % GROUPS
        with self._lock:
            assert group not in self._held, f"two of group {group} are leased"
            self._held.add(group)
            if number % 5 == 0 and number not in self._given_back:
                self._given_back.add(number)
                return True
            self.done[group].append(number)
            return False

    def end(self, number: int) -> None:
        """Notes that a message is about to be settled."""
        with self._lock:
            self._held.remove(number % GROUPS)

    def count(self) -> int:
        """How many are done."""
        return sum(map(len, self.done.values()))
