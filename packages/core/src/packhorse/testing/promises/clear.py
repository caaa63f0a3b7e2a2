"""Clearing: messages removed in bulk."""

from packhorse.driver.abilities import Clears, KeepsDead, Lists
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, State
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    bodies,
    can_delay,
    drain,
    message,
    put,
    refused,
    take,
    take_one,
)


class Clearing(Stage):
    """`clear` removes what it was asked to remove, says how much, and spares the rest."""

    def fill(self, driver: Driver, consumer: Consumer) -> None:
        """One message in each live state, one dead, one on another queue."""
        put(driver, message(b"dead"), message(b"leased"), message(b"waiting"))
        put(driver, message(b"delayed", delay=self.delay(driver, 2)), message(b"other", "other"))
        consumer.settle([Dead(take_one(consumer), b"why")])
        take_one(consumer)

    def test_a_cleared_queue_is_empty_and_others_are_not(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Clears):
            return refused(driver, Clears)
        self.fill(driver, consumer)
        assert driver.clear(QUEUE) == 3
        assert_counts(driver, Counts())
        self.end_leases(driver)
        assert drain(consumer) == []
        assert bodies(drain(consumer, "other")) == [b"other"]
        assert driver.clear(QUEUE) == 0

    def test_clearing_all_queues_spares_the_dead(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Clears):
            return refused(driver, Clears)
        self.fill(driver, consumer)
        assert driver.clear(None) == 4
        self.end_leases(driver)
        assert drain(consumer) == drain(consumer, "other") == []
        if isinstance(driver, KeepsDead) and isinstance(driver, Lists):
            assert len(driver.list(None, "dead", 10)) == 1

    def test_only_the_asked_state_is_cleared(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Clears):
            return refused(driver, Clears)
        if not can_delay(driver):
            return None
        self.fill(driver, consumer)
        steps: list[tuple[State, Counts]] = [
            ("waiting", Counts(delayed=1, reserved=1)),
            ("delayed", Counts(reserved=1)),
            ("leased", Counts()),
        ]
        for state, left in steps:
            assert driver.clear(QUEUE, state) == 1
            assert_counts(driver, left)

    def test_only_what_is_old_enough_is_cleared(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Clears):
            return refused(driver, Clears)
        put(driver, message(b"old"))
        self.pass_time(driver, self.lease)
        put(driver, message(b"young"))
        assert driver.clear(QUEUE, "waiting", older_than=self.lease / 2) == 1
        assert bodies(take(consumer)) == [b"young"]

    def test_a_holder_of_a_cleared_message_has_nothing_to_settle(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Clears):
            return refused(driver, Clears)
        put(driver, message())
        delivery = take_one(consumer)
        assert driver.clear(QUEUE, "leased") == 1
        if driver.capabilities.fencing == "broker":
            follow = [] if driver.capabilities.follow == "before" else [message(b"ghost")]
            assert consumer.settle([Done(delivery, follow)]) == ["gone"]
        assert take(consumer) == []
