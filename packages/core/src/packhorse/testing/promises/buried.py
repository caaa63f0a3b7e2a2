"""Buried messages: dead, kept whole off their queue by a broker that lists nothing."""

from packhorse.driver.abilities import Buries
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    bodies,
    can_delay,
    message,
    put,
    refused,
    take,
    take_one,
)


class Burying(Stage):
    """What is buried is out of line, counted, and comes back when it is told to."""

    def one_dies(self, driver: Driver, consumer: Consumer, queue: str = QUEUE) -> None:
        """A message that is sent and buried."""
        put(driver, message(b"dead", queue))
        assert consumer.settle([Dead(take_one(consumer, queue), b"why")]) == ["applied"]

    def test_a_buried_message_is_out_of_line_and_counted(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Buries):
            return refused(driver, Buries)
        assert driver.buried(None) == driver.buried(QUEUE) == 0
        self.one_dies(driver, consumer)
        self.one_dies(driver, consumer, "other")
        put(driver, message(b"alive"))
        assert (driver.buried(QUEUE), driver.buried("other"), driver.buried(None)) == (1, 1, 2)
        assert_counts(driver, Counts(ready=1))
        self.end_leases(driver)
        assert bodies(take(consumer)) == [b"alive"]

    def test_an_exhumed_message_waits_again_as_it_was(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Buries):
            return refused(driver, Buries)
        for _ in range(3):
            self.one_dies(driver, consumer)
        self.one_dies(driver, consumer, "other")
        assert driver.exhume(QUEUE) == 3
        again = take(consumer)
        assert [(each.message.body, each.deliveries) for each in again] == [(b"dead", 1)] * 3
        assert take(consumer, queue="other") == []
        assert (driver.exhume(QUEUE), driver.exhume(None)) == (0, 1)
        assert bodies(take(consumer, queue="other")) == [b"dead"]

    def test_exhuming_leaves_the_living_alone(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Buries):
            return refused(driver, Buries)
        if not can_delay(driver):
            return None
        put(driver, message(b"held"), message(b"late", delay=self.delay(driver)))
        held = take_one(consumer)
        assert driver.exhume(QUEUE) == driver.exhume(None) == 0
        assert take(consumer) == []
        assert_counts(driver, Counts(delayed=1, reserved=1))
        assert consumer.settle([Done(held)]) == ["applied"]

    def test_a_stale_dead_buries_nothing(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Buries):
            return refused(driver, Buries)
        if driver.capabilities.fencing == "clock":
            return None
        put(driver, message())
        stale = take_one(consumer)
        self.end_leases(driver)
        current = take_one(other)
        assert consumer.settle([Dead(stale, b"ghost")]) == ["gone"]
        assert driver.buried(None) == 0
        assert other.settle([Done(current)]) == ["applied"]
