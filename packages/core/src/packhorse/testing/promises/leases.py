"""Leases: what is held, for how long, and what happens when a holder goes away."""

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import CEILING, LOST
from packhorse.driver.outcome import Done, Return
from packhorse.testing.clock import ManualClock
from packhorse.testing.promises.stage import (
    Stage,
    bodies,
    drain,
    in_order,
    message,
    numbered,
    put,
    take,
    take_one,
)


class Leases(Stage):
    """A lease holds; when it has ended, its message is first in line again."""

    def test_a_leased_message_is_handed_to_nobody_else(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        assert take(other) == take(consumer) == []
        self.pass_time(driver, self.whole_lease(driver) / 2)
        if self.clock.monotonic() < delivery.deadline:
            assert take(other) == take(consumer) == []

    def test_a_lease_holds_until_the_deadline_it_was_given(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        left = delivery.deadline - self.clock.monotonic()
        self.pass_time(driver, left - self.whole_lease(driver) / 20)
        early = take(other)
        assert early == [] or self.clock.monotonic() >= delivery.deadline

    def test_a_lease_that_ended_gives_the_message_to_another(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        put(driver, message(b"orphan"))
        delivery = take_one(consumer)
        self.end_leases(driver)
        again = take_one(other)
        assert again.message.id == delivery.message.id
        assert again.message.body == b"orphan"
        assert other.settle([Done(again)]) == ["applied"]

    def test_each_delivery_counts_up(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message())
        for count in (1, 2, 3):
            assert take_one(consumer).deliveries == count
            self.end_leases(driver)

    def test_an_ended_lease_is_first_in_line_before_any_backlog(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.ordered:
            return
        put(driver, *numbered(5))
        before, lost = take(consumer, 2)
        consumer.settle([Return(before)])
        put(driver, *numbered(50))
        self.end_leases(driver)
        assert take_one(other).message.id == lost.message.id
        assert take_one(other).message.id == before.message.id

    def test_ended_leases_come_back_in_their_old_order(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        put(driver, *numbered(6))
        for _ in range(2):
            take(consumer, 2)
        self.end_leases(driver)
        deliveries = drain(other, limit=3)
        found = in_order(driver, bodies(deliveries))
        assert found == [b"0", b"1", b"2", b"3", b"4", b"5"]
        counted = sorted(delivery.deliveries for delivery in deliveries)
        assert counted == [1, 1, 2, 2, 2, 2]

    def test_a_consumer_that_closes_leaves_its_leases_to_run_out(
        self, driver: Driver, other: Consumer
    ) -> None:
        put(driver, message())
        leaving = driver.consumer("leaving")
        take_one(leaving)
        leaving.close()
        if driver.capabilities.fencing == "broker":
            assert take(other) == []
        self.end_leases(driver)
        assert len(take(other)) == 1

    def test_renewing_moves_the_end_of_the_lease(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        self.pass_time(driver, self.whole_lease(driver) * 0.6)
        (deadline,) = consumer.renew([delivery])
        assert isinstance(deadline, float)
        assert deadline > delivery.deadline
        self.pass_time(driver, self.whole_lease(driver) * 0.6)
        assert take(other) == [] or self.clock.monotonic() >= deadline
        assert consumer.settle([Done(delivery)]) == ["applied"]
        self.end_leases(driver)
        assert take(other) == []

    def test_a_renewed_lease_ends_too(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        consumer.renew([delivery])
        self.end_leases(driver)
        assert take_one(consumer).deliveries == 2

    def test_a_renewed_deadline_is_a_whole_lease_from_now(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        before = self.clock.monotonic()
        (deadline,) = consumer.renew([delivery])
        took = self.clock.monotonic() - before
        assert isinstance(deadline, float)
        assert 0 < deadline - before <= self.whole_lease(driver) + took + 1e-6

    def test_renewing_answers_each_delivery_and_says_lost(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, *numbered(3))
        first, lost, last = take(consumer, 3)
        consumer.settle([Return(lost)])
        taken = take_one(other)
        answers = consumer.renew([first, lost, last])
        assert answers[1] is LOST
        assert [type(answer) for answer in answers[::2]] == [float, float]
        assert other.settle([Done(taken)]) == ["applied"]
        assert consumer.renew([lost]) == [LOST]

    def test_renewing_with_a_stale_token_does_not_hold_the_message(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message())
        stale = take_one(consumer)
        self.end_leases(driver)
        take_one(other)
        self.pass_time(driver, self.whole_lease(driver) * 0.6)
        assert consumer.renew([stale]) == [LOST]
        self.pass_time(driver, self.whole_lease(driver) * 0.6)
        assert len(take(other)) == 1

    def test_settling_after_the_end_is_applied_or_gone_and_nothing_between(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message())
        late = take_one(consumer)
        self.end_leases(driver)
        (answer,) = consumer.settle([Done(late)])
        assert answer in ("applied", "gone")
        assert len(take(other)) == (answer == "gone")

    def test_a_lease_is_renewed_up_to_its_ceiling(self, driver: Driver, consumer: Consumer) -> None:
        ceiling = driver.capabilities.max_lease_total
        if ceiling is None or not isinstance(self.clock, ManualClock):
            return
        put(driver, message())
        delivery = take_one(consumer)
        assert delivery.renewable_until is not None
        step = self.whole_lease(driver) / 2
        deadline = delivery.deadline
        while self.clock.monotonic() + step < min(delivery.renewable_until, deadline):
            self.pass_time(driver, step)
            (answer,) = consumer.renew([delivery])
            if answer is CEILING:
                break
            assert isinstance(answer, float)
            deadline = answer
        assert consumer.renew([delivery]) == [CEILING]
        assert deadline <= delivery.renewable_until + 1e-6
