"""Counting: how much of a queue is ready, delayed and reserved."""

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts
from packhorse.driver.outcome import Done
from packhorse.testing.promises.stage import QUEUE, Stage, can_delay, message, numbered, put, take


class Counting(Stage):
    """Counts are right where the driver calls them exact, and cheap: they stop at a cap."""

    def test_counts_are_numbers_of_that_queue(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, *numbered(5), message(queue="other"))
        take(consumer, 2)
        counts = driver.counts(QUEUE)
        if driver.capabilities.counts == "exact":
            assert counts == Counts(ready=3, reserved=2)
        assert min(counts.ready, counts.delayed, counts.reserved) >= 0

    def test_exact_counts_follow_every_state(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.counts != "exact" or not can_delay(driver):
            return
        assert driver.counts(QUEUE) == Counts()
        put(driver, *numbered(3), message(delay=self.delay(driver)))
        assert driver.counts(QUEUE) == Counts(ready=3, delayed=1)
        deliveries = take(consumer, 2)
        assert driver.counts(QUEUE) == Counts(ready=1, delayed=1, reserved=2)
        consumer.settle([Done(deliveries[0])])
        assert driver.counts(QUEUE) == Counts(ready=1, delayed=1, reserved=1)
        self.pass_delay(driver)
        assert driver.counts(QUEUE) == Counts(ready=2, reserved=1)

    def test_counts_stop_at_the_cap_and_say_so(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, *numbered(9))
        take(consumer, 4)
        if driver.capabilities.counts != "exact":
            return
        assert driver.counts(QUEUE, cap=3) == Counts(ready=3, reserved=3, capped=True)
        assert driver.counts(QUEUE, cap=4) == Counts(ready=4, reserved=4, capped=True)
        assert driver.counts(QUEUE, cap=10) == Counts(ready=5, reserved=4)
