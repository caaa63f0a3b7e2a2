"""Settling: what becomes of a delivery, and what a stale token can do (nothing)."""

import pytest

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, Delivery
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing.promises.stage import (
    Stage,
    assert_counts,
    bodies,
    can_delay,
    drain,
    in_order,
    message,
    numbered,
    put,
    take,
    take_one,
)

OUTCOMES = ["done", "retry", "return", "dead"]


def outcome(kind: str, delivery: Delivery) -> Outcome:
    """One outcome of each kind, by name."""
    kinds: dict[str, Outcome] = {
        "done": Done(delivery),
        "retry": Retry(delivery, 0, b"rewritten"),
        "return": Return(delivery),
        "dead": Dead(delivery, b"record"),
    }
    return kinds[kind]


class Settling(Stage):
    """An outcome with a current token is carried out, any other changes nothing."""

    def test_done_removes_the_message(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message())
        assert consumer.settle([Done(take_one(consumer))]) == ["applied"]
        assert_counts(driver, Counts())
        self.end_leases(driver)
        assert take(consumer) == []

    def test_dead_is_handed_out_no_more(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message())
        assert consumer.settle([Dead(take_one(consumer), b"why")]) == ["applied"]
        assert_counts(driver, Counts())
        self.end_leases(driver)
        assert take(consumer) == []

    def test_return_gives_the_message_back(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message(b"same"))
        assert consumer.settle([Return(take_one(consumer))]) == ["applied"]
        assert_counts(driver, Counts(ready=1))
        assert bodies(take(consumer)) == [b"same"]

    def test_return_finds_its_old_place(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, *numbered(4))
        first, second = take(consumer, 2)
        assert consumer.settle([Return(second)]) == ["applied"]
        assert consumer.settle([Return(first)]) == ["applied"]
        assert in_order(driver, bodies(drain(consumer))) == [b"0", b"1", b"2", b"3"]

    def test_return_does_not_count_the_delivery(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, message())
        for _ in range(3):
            consumer.settle([Return(take_one(consumer))])
        assert take_one(consumer).deliveries == 1

    def test_return_keeps_the_losses_before_it(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.rewrite == "resend":
            return
        put(driver, message())
        take_one(consumer)
        self.end_leases(driver)
        consumer.settle([Return(take_one(consumer))])
        assert take_one(consumer).deliveries == 2

    def test_retry_waits_for_its_delay(self, driver: Driver, consumer: Consumer) -> None:
        if not can_delay(driver):
            return
        put(driver, message())
        delivery = take_one(consumer)
        assert consumer.settle([Retry(delivery, self.delay(driver, 2), b"x")]) == ["applied"]
        assert_counts(driver, Counts(delayed=1))
        self.pass_delay(driver)
        assert take(consumer) == []
        self.pass_delay(driver)
        assert len(take(consumer)) == 1

    def test_retry_writes_a_new_body(self, driver: Driver, consumer: Consumer) -> None:
        sent = message(b"old", "letters")
        put(driver, sent)
        consumer.settle([Retry(take_one(consumer, "letters"), 0, b"new \0\xff")])
        again = take_one(consumer, "letters")
        assert again.message.id == sent.id
        rewritten = driver.capabilities.rewrite != "none"
        assert again.message.body == (b"new \0\xff" if rewritten else b"old")

    def test_retry_starts_the_count_of_deliveries_again(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.rewrite == "none":
            return
        put(driver, message())
        take_one(consumer)
        self.end_leases(driver)
        delivery = take_one(consumer)
        assert delivery.deliveries == 2
        consumer.settle([Retry(delivery, 0, b"again")])
        assert take_one(consumer).deliveries == 1

    def test_retry_goes_behind_what_is_due(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.rewrite == "none":
            return
        put(driver, message(b"0"), message(b"1"))
        consumer.settle([Retry(take_one(consumer), 0, b"2")])
        assert in_order(driver, bodies(drain(consumer))) == [b"1", b"2"]

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_settling_twice_changes_nothing_and_says_gone(
        self, driver: Driver, consumer: Consumer, kind: str
    ) -> None:
        put(driver, message())
        delivery = take_one(consumer)
        assert consumer.settle([outcome(kind, delivery)]) == ["applied"]
        before = driver.counts("default")
        if driver.capabilities.fencing == "broker":
            assert consumer.settle([Done(delivery)]) == ["gone"]
            assert driver.counts("default") == before

    @pytest.mark.parametrize("kind", OUTCOMES)
    def test_a_stale_token_changes_nothing_and_says_gone(
        self, driver: Driver, consumer: Consumer, other: Consumer, kind: str
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message(b"whole"))
        stale = take_one(consumer)
        self.end_leases(driver)
        current = take_one(other)
        assert consumer.settle([outcome(kind, stale)]) == ["gone"]
        assert_counts(driver, Counts(reserved=1))
        assert take(consumer) == []
        assert other.settle([Return(current)]) == ["applied"]
        assert bodies(take(consumer)) == [b"whole"]

    def test_a_stale_token_of_the_same_worker_says_gone(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message())
        stale = take_one(consumer)
        self.end_leases(driver)
        current = take_one(consumer)
        assert consumer.settle([Done(stale), Done(current)]) == ["gone", "applied"]

    def test_one_outcome_that_is_gone_stops_no_other(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, *numbered(5))
        deliveries = take(consumer, 5)
        fenced = driver.capabilities.fencing == "broker"
        gone = deliveries[1:4:2] if fenced else []
        consumer.settle([Done(delivery) for delivery in gone])
        answers = consumer.settle([Done(delivery) for delivery in deliveries])
        expected = ["gone" if delivery in gone else "applied" for delivery in deliveries]
        assert answers == expected
        self.end_leases(driver)
        assert take(consumer) == []

    def test_outcomes_of_every_kind_go_in_one_call(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, *numbered(20))
        deliveries = take(consumer, 20)
        assert len(deliveries) == 20
        kinds = [OUTCOMES[number % 4] for number in range(20)]
        outcomes = [
            outcome(kind, delivery) for kind, delivery in zip(kinds, deliveries, strict=True)
        ]
        assert consumer.settle(outcomes) == ["applied"] * 20
        assert len(drain(consumer)) == 10

    def test_a_settled_message_leaves_the_others_alone(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        put(driver, *numbered(3))
        deliveries = take(consumer, 2)
        consumer.settle([Done(deliveries[0])])
        assert_counts(driver, Counts(ready=1, reserved=1))
        self.end_leases(driver)
        assert sorted(bodies(drain(consumer))) == sorted([*bodies(deliveries[1:]), b"2"])
