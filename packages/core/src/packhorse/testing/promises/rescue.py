"""Rescuing: what a lost worker held comes back before its leases end."""

import pytest

from packhorse.driver.abilities import Rescues
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Done
from packhorse.errors import ConnectionLost
from packhorse.testing.faults import FaultyDriver
from packhorse.testing.promises.stage import (
    Stage,
    bodies,
    drain,
    in_order,
    numbered,
    put,
    refused,
    take,
)


class Rescuing(Stage):
    """`rescue` gives back what a worker held, and blames only those that it had started."""

    def test_a_rescued_message_is_back_at_once_and_costs_nothing(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(3))
        take(consumer, 2)
        assert driver.rescue("worker-1") == 2
        deliveries = drain(other)
        assert in_order(driver, bodies(deliveries)) == [b"0", b"1", b"2"]
        assert [each.deliveries for each in deliveries] == [1, 1, 1]

    def test_the_token_of_a_rescued_delivery_is_stale(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(1))
        deliveries = take(consumer)
        driver.rescue("worker-1")
        assert consumer.settle([Done(each) for each in deliveries]) == ["gone"]
        assert len(take(consumer)) == 1

    def test_what_is_kept_stays_leased(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(3))
        kept, *_ = take(consumer, 3)
        assert driver.rescue("worker-1", keep=[kept.token]) == 2
        assert sorted(bodies(drain(other))) == [b"1", b"2"]
        assert consumer.settle([Done(kept)]) == ["applied"]

    def test_only_the_blamed_count_their_delivery(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(3))
        started = take(consumer, 3)[1]
        assert driver.rescue("worker-1", blamed=[started.message.id]) == 3
        counts = {each.message.body: each.deliveries for each in drain(other)}
        assert counts == {b"0": 1, b"1": 2, b"2": 1}

    def test_other_workers_keep_what_they_hold(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(2))
        take(consumer, 1)
        (held,) = take(other, 1)
        assert driver.rescue("worker-1") == 1
        assert driver.rescue("nobody") == 0
        assert bodies(drain(consumer)) == [b"0"]
        assert other.settle([Done(held)]) == ["applied"]

    def test_a_reservation_whose_reply_was_lost_costs_nothing(self, driver: Driver) -> None:
        if not isinstance(driver, Rescues):
            return refused(driver, Rescues)
        put(driver, *numbered(3))
        faulty = FaultyDriver(driver)
        assert isinstance(faulty, Rescues)
        consumer = faulty.consumer("worker-3")
        (kept,) = take(consumer, 1)
        faulty.lose_reply("reserve")
        with pytest.raises(ConnectionLost):
            take(consumer)
        assert take(consumer) == []
        assert faulty.rescue("worker-3", keep=[kept.token]) == 2
        again = drain(consumer)
        assert in_order(driver, bodies(again)) == [b"1", b"2"]
        assert [each.deliveries for each in again] == [1, 1]
        assert consumer.settle([Done(kept)]) == ["applied"]
        consumer.close()
