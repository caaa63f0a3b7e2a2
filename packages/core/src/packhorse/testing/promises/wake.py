"""Waking and closing: nothing that waits waits for ever."""

import time

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Reserved
from packhorse.errors import PackhorseError
from packhorse.testing.promises.stage import QUEUE, Stage, can_delay, message, put, take
from packhorse.testing.running import Running


def blocked(consumer: Consumer) -> Running[Reserved]:
    """A reservation that waits in another thread; it has had the time to begin."""
    running = Running(consumer.reserve, [QUEUE], 1, 30)
    time.sleep(0.05)
    assert running.is_alive(), "a reservation on an empty queue must wait"
    return running


class Waking(Stage):
    """`wake`, a push and `close` end a reservation that waits."""

    def test_a_reservation_waits_no_longer_than_it_was_told(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        running = Running(consumer.reserve, [QUEUE], 1, 0.05)
        assert list(self.pass_until(driver, running).deliveries) == []

    def test_a_reservation_that_finds_something_does_not_wait(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, message())
        running = Running(consumer.reserve, [QUEUE], 10, 30)
        assert len(running.answer(within=self.patience).deliveries) == 1

    def test_wake_ends_a_waiting_reservation(self, driver: Driver, consumer: Consumer) -> None:
        running = blocked(consumer)
        consumer.wake()
        reserved = running.answer(within=driver.capabilities.wake_within + self.patience)
        assert list(reserved.deliveries) == []

    def test_a_wake_that_comes_first_is_not_lost(self, driver: Driver, consumer: Consumer) -> None:
        consumer.wake()
        running = Running(consumer.reserve, [QUEUE], 1, 30)
        reserved = running.answer(within=driver.capabilities.wake_within + self.patience)
        assert list(reserved.deliveries) == []

    def test_one_wake_ends_one_wait(self, driver: Driver, consumer: Consumer) -> None:
        consumer.wake()
        Running(consumer.reserve, [QUEUE], 1, 30).answer(within=self.patience)
        running = blocked(consumer)
        put(driver, message())
        assert len(running.answer(within=self.patience).deliveries) == 1

    def test_a_push_reaches_a_reservation_that_waits(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        running = blocked(consumer)
        put(driver, message())
        assert len(running.answer(within=self.patience).deliveries) == 1

    def test_a_delayed_message_reaches_a_reservation_that_waits(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not can_delay(driver):
            return
        put(driver, message(delay=max(0.05, driver.capabilities.delay_step)))
        running = Running(consumer.reserve, [QUEUE], 1, 5)
        assert len(self.pass_until(driver, running).deliveries) == 1

    def test_one_message_reaches_only_one_of_two_that_wait(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        both = [blocked(consumer), blocked(other)]
        put(driver, message())
        deadline = time.monotonic() + self.patience
        while all(running.is_alive() for running in both) and time.monotonic() < deadline:
            time.sleep(0.005)
        consumer.wake()
        other.wake()
        reserved = [running.answer(within=self.patience) for running in both]
        assert sum(len(each.deliveries) for each in reserved) == 1

    def test_a_settlement_goes_through_while_a_reservation_waits(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, message())
        held = take(consumer)
        running = blocked(consumer)
        renewed = Running(consumer.renew, held).answer(within=self.patience)
        assert isinstance(renewed[0], float)
        consumer.wake()
        running.answer(within=self.patience)

    def test_nothing_hangs_after_the_driver_was_closed(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        running = blocked(consumer)

        def close_all() -> None:
            consumer.close()
            driver.close()
            consumer.close()
            driver.close()

        Running(close_all).answer(within=self.patience)
        try:
            running.answer(within=driver.capabilities.wake_within + self.patience)
        except PackhorseError:
            return  # saying that the driver is closed is as good as an empty answer
