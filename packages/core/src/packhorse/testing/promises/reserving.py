"""Reserving: what a reservation brings."""

import pytest

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Retry, Return
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    bodies,
    message,
    numbered,
    put,
    take,
    take_one,
)


class Reserving(Stage):
    """A reservation takes what was asked for, from the queues in their order."""

    def test_an_empty_queue_gives_nothing(self, driver: Driver, consumer: Consumer) -> None:
        reserved = consumer.reserve([QUEUE, "never-seen"], 10, 0)
        assert list(reserved.deliveries) == []
        assert reserved.next_due is None
        assert reserved.paused == frozenset()

    @pytest.mark.parametrize(("limit", "counts"), [(1, [1, 1, 1]), (3, [3, 3, 2]), (7, [7, 1])])
    def test_a_reservation_keeps_to_its_limit(
        self, driver: Driver, consumer: Consumer, limit: int, counts: list[int]
    ) -> None:
        put(driver, *numbered(sum(counts)))
        assert [len(take(consumer, limit)) for _ in [*counts, 0]] == [*counts, 0]

    def test_only_the_asked_queues_are_served(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message(b"a", "a"), message(b"b", "b"), message(b"c", "c"))
        reserved = consumer.reserve(["c", "a"], 10, 0)
        assert bodies(reserved.deliveries) == [b"c", b"a"]

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 10])
    def test_queues_are_filled_strictly_in_the_asked_order(
        self, driver: Driver, consumer: Consumer, limit: int
    ) -> None:
        put(driver, *(message(name, name.decode()) for name in (b"low", b"mid", b"low", b"high")))
        put(driver, message(b"high", "high"))
        found = bodies(consumer.reserve(["high", "mid", "low"], limit, 0).deliveries)
        assert found == [b"high", b"high", b"mid", b"low", b"low"][:limit]

    def test_a_delivery_says_what_it_is(self, driver: Driver, consumer: Consumer) -> None:
        sent = message(b"facts", "facts")
        put(driver, sent)
        before, wall = self.clock.monotonic(), self.clock.wall()
        delivery = take_one(consumer, "facts")
        assert delivery.message.id == sent.id
        assert (delivery.message.queue, delivery.message.body) == ("facts", b"facts")
        assert isinstance(delivery.token, bytes)
        assert delivery.deliveries == 1
        assert delivery.cancelled is False
        assert abs(delivery.reserved_at - wall) < 5
        took = self.clock.monotonic() - before
        held = delivery.deadline - before
        assert 0 < held <= self.whole_lease(driver) + took + 1e-6
        ceiling = driver.capabilities.max_lease_total
        assert (delivery.renewable_until is None) == (ceiling is None)

    def test_a_token_is_never_used_twice(self, driver: Driver, consumer: Consumer) -> None:
        tokens: list[bytes] = []
        put(driver, *numbered(3))
        for deliveries in (take(consumer), []):
            tokens += [delivery.token for delivery in deliveries]
            consumer.settle([Return(delivery) for delivery in deliveries])
        deliveries = take(consumer)
        tokens += [delivery.token for delivery in deliveries]
        consumer.settle([Retry(delivery, 0, b"again") for delivery in deliveries])
        tokens += [delivery.token for delivery in take(consumer)]
        self.end_leases(driver)
        put(driver, message(b"new"))
        tokens += [delivery.token for delivery in take(consumer)]
        assert len(tokens) == 3 + 3 + 3 + 4
        assert len(set(tokens)) == len(tokens)

    def test_next_due_never_promises_later_than_it_is(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        delay = self.delay(driver)
        put(driver, message(delay=delay), message(delay=delay))
        if delay:
            due = consumer.reserve([QUEUE], 10, 0).next_due
            assert due is None or 0 < due <= delay
            self.pass_delay(driver)
        assert len(take(consumer)) == 2
        ends = consumer.reserve([QUEUE], 10, 0).next_due
        assert ends is None or 0 < ends <= self.whole_lease(driver)
