"""Pausing: a queue that is handed out to nobody for a while."""

from packhorse.driver.abilities import Pauses
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Done
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    bodies,
    message,
    put,
    refused,
    take,
    take_one,
)
from packhorse.testing.running import Running


class Pausing(Stage):
    """A paused queue takes messages and gives none."""

    def test_a_paused_queue_gives_nothing_and_says_so(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message(b"before"), message(b"free", "free"))
        driver.pause(QUEUE)
        put(driver, message(b"after"))
        reserved = consumer.reserve([QUEUE, "free"], 10, 0)
        assert bodies(reserved.deliveries) == [b"free"]
        assert reserved.paused == {QUEUE}
        assert consumer.reserve(["free"], 10, 0).paused == frozenset()

    def test_a_resumed_queue_gives_all_it_has(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message(b"0"))
        driver.pause(QUEUE)
        put(driver, message(b"1"))
        driver.resume(QUEUE)
        reserved = consumer.reserve([QUEUE], 10, 0)
        assert bodies(reserved.deliveries) == [b"0", b"1"]
        assert reserved.paused == frozenset()

    def test_a_pause_for_a_time_ends_by_itself(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        driver.pause(QUEUE, self.lease / 2)
        left = driver.paused()[QUEUE]
        assert left is not None
        assert 0 < left <= self.lease / 2
        assert take(consumer) == []
        self.pass_time(driver, self.lease * 0.6)
        assert driver.paused() == {}
        assert len(take(consumer)) == 1

    def test_the_last_pause_counts(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        driver.pause(QUEUE, self.lease / 4)
        driver.pause(QUEUE)
        assert driver.paused() == {QUEUE: None}
        self.pass_time(driver, self.lease / 2)
        assert take(consumer) == []

    def test_resuming_what_is_not_paused_is_no_error(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        driver.resume(QUEUE)
        assert driver.paused() == {}
        assert len(take(consumer)) == 1

    def test_what_is_held_can_be_settled_during_a_pause(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        delivery = take_one(consumer)
        driver.pause(QUEUE)
        assert isinstance(consumer.renew([delivery])[0], float)
        assert consumer.settle([Done(delivery)]) == ["applied"]

    def test_a_paused_queue_gives_no_ended_lease_either(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        take_one(consumer)
        driver.pause(QUEUE)
        self.end_leases(driver)
        assert take(consumer) == []
        driver.resume(QUEUE)
        assert take_one(consumer).deliveries == 2

    def test_resuming_reaches_a_reservation_that_waits(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Pauses):
            return refused(driver, Pauses)
        put(driver, message())
        driver.pause(QUEUE)
        running = Running(consumer.reserve, [QUEUE], 1, 3)
        driver.resume(QUEUE)
        assert len(self.pass_until(driver, running).deliveries) == 1
