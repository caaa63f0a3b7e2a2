"""Order and delay: who comes when."""

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts
from packhorse.testing.clock import ManualClock
from packhorse.testing.promises.stage import (
    Stage,
    assert_counts,
    bodies,
    can_delay,
    drain,
    in_order,
    message,
    put,
    round_up,
    take,
)


class Order(Stage):
    """First sent is first served; what is delayed comes when it is due, never before."""

    def test_first_sent_is_first_served(self, driver: Driver, consumer: Consumer) -> None:
        for number in range(10):
            put(driver, message(b"%d" % number))
        put(driver, *(message(b"%d" % number) for number in range(10, 15)))
        found = bodies(drain(consumer, limit=4))
        expected = [b"%d" % number for number in range(15)]
        assert in_order(driver, found) == in_order(driver, expected)

    def test_a_delayed_message_is_never_early_and_comes_when_due(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not can_delay(driver):
            return
        put(driver, message(delay=self.delay(driver, 2)))
        assert_counts(driver, Counts(delayed=1))
        assert take(consumer) == []
        self.pass_time(driver, self.delay(driver, 2) - self.lease / 8)
        assert take(consumer) == []
        self.pass_time(driver, self.lease / 8 + self.lease / 20)
        assert_counts(driver, Counts(ready=1))
        assert len(take(consumer)) == 1

    def test_a_delay_is_rounded_up_never_down(self, driver: Driver, consumer: Consumer) -> None:
        step = driver.capabilities.delay_step
        if not step or not can_delay(driver):
            return
        put(driver, message(delay=step * 1.4))
        self.pass_time(driver, step * 1.3)
        assert take(consumer) == []
        self.pass_time(driver, round_up(step * 1.4, step) - step * 1.3 + step / 10)
        assert len(take(consumer)) == 1

    def test_delayed_messages_come_in_the_order_of_falling_due(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not can_delay(driver):
            return
        put(driver, *(message(b"%d" % n, delay=self.delay(driver, n)) for n in (3, 1, 2)))
        self.pass_delay(driver, 3)
        put(driver, message(b"4"))
        assert in_order(driver, bodies(drain(consumer))) == [b"1", b"2", b"3", b"4"]

    def test_what_fell_due_earlier_goes_before_what_was_sent_later(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not can_delay(driver):
            return
        put(driver, message(b"c-late", delay=self.delay(driver)), message(b"a-now"))
        self.pass_time(driver, self.lease / 8)
        put(driver, message(b"b-before"))
        self.pass_delay(driver)
        put(driver, message(b"d-after"))
        found = in_order(driver, bodies(drain(consumer)))
        assert found == [b"a-now", b"b-before", b"c-late", b"d-after"]

    def test_a_wall_clock_that_is_set_back_holds_nothing_up(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(self.clock, ManualClock) or not can_delay(driver):
            return
        put(driver, message(b"held"), message(b"b-late", delay=self.delay(driver)))
        take(consumer, 1)
        self.clock.jump(-3_600)
        put(driver, message(b"a-new"))
        self.pass_delay(driver)
        assert in_order(driver, bodies(drain(consumer))) == [b"a-new", b"b-late"]
        self.end_leases(driver)
        assert b"held" in bodies(drain(consumer))
