"""Crowds: many threads at once, and each message exactly once."""

import threading
from collections import Counter

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Done, Return
from packhorse.testing.promises.stage import QUEUE, Stage, drain, message, put, take
from packhorse.testing.running import Running

THREADS = 8


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
