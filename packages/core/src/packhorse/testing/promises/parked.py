"""Parked messages: what becomes of those that wait behind the first of their group."""

import pytest

from packhorse.driver.abilities import Cancels, Clears, Lists
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, State
from packhorse.driver.outcome import Done
from packhorse.testing.promises.groups import grouped
from packhorse.testing.promises.keyed import keyed, replacing, send_one
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    bodies,
    drain,
    message,
    put,
    take,
    take_one,
)


class Parked(Stage):
    """They are counted and listed apart, and can leave their group before their turn."""

    def test_parked_messages_are_counted_and_listed(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        sent = grouped(4)
        put(driver, *sent)
        assert_counts(driver, Counts(ready=1, parked=3))
        delivery = take_one(consumer)
        assert_counts(driver, Counts(reserved=1, parked=3))
        counts = driver.counts(QUEUE, 2)
        assert (counts.parked, counts.capped) == (2, True)
        if isinstance(driver, Lists):
            parked = driver.list(QUEUE, "parked", 10)
            assert [(each.message.id, each.state) for each in parked] == [
                (each.id, "parked") for each in sent[1:]
            ]
            page = driver.list(None, "parked", 10, after=sent[1].id)
            assert [each.message.id for each in page] == [each.id for each in sent[2:]]
            assert [each and each.state for each in driver.get([sent[0].id, sent[3].id])] == [
                "leased",
                "parked",
            ]
            assert {each.message.group for each in parked} == {"g"}
            assert driver.list(QUEUE, "waiting", 10) == []
            assert driver.oldest(QUEUE) is None
        consumer.settle([Done(delivery)])
        assert_counts(driver, Counts(ready=1, parked=2))

    def test_a_parked_message_that_is_cancelled_leaves_its_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, Cancels):
            return
        sent = [*grouped(2), message(b"2", delay=self.delay(driver, 4), group="g")]
        put(driver, *sent, message(b"3", group="g"))
        head = take_one(consumer)
        assert driver.cancel([sent[1].id, sent[2].id]) == ["marked", "marked"]
        assert_counts(driver, Counts(ready=2, reserved=1, parked=1))
        deliveries = drain(consumer)
        assert sorted(bodies(deliveries)) == [b"1", b"2"]
        assert all(each.cancelled for each in deliveries)
        consumer.settle([Done(each) for each in deliveries])
        assert take(consumer) == []
        consumer.settle([Done(head)])
        assert bodies(drain(consumer)) == [b"3"]

    def test_a_parked_message_that_is_superseded_leaves_its_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not driver.capabilities.unique:
            return
        old, new = keyed(b"old", group="g"), replacing(b"new", group="g")
        put(driver, message(b"first", group="g"), old, message(b"between", group="g"))
        head = take_one(consumer)
        assert send_one(driver, new).superseded == old.id
        (delivery,) = drain(consumer)
        assert (delivery.message.body, delivery.superseded) == (b"old", True)
        consumer.settle([Done(delivery), Done(head)])
        for body in (b"between", b"new"):
            (delivery,) = drain(consumer)
            assert (delivery.message.body, delivery.superseded) == (body, False)
            consumer.settle([Done(delivery)])

    def test_what_is_taken_or_known_joins_no_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        head, *_ = grouped(1)
        put(driver, head)
        if driver.capabilities.known_ids:
            assert send_one(driver, head).state == "known"
        if driver.capabilities.unique:
            put(driver, keyed())
            assert send_one(driver, keyed(group="g")).state == "taken"
        assert driver.counts(QUEUE).parked == 0
        consumer.settle([Done(each) for each in take(consumer)])
        assert_counts(driver, Counts())

    @pytest.mark.parametrize("state", ["waiting", "parked", None])
    def test_clearing_takes_the_parked_when_it_is_asked_to(
        self, driver: Driver, consumer: Consumer, state: State | None
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, Clears):
            return
        put(driver, *grouped(3), *grouped(2, "another"), message(b"plain"))
        removed, left = {
            "waiting": (3, Counts(ready=2, parked=1)),
            "parked": (3, Counts(ready=3)),
            None: (6, Counts()),
        }[state]
        assert driver.clear(QUEUE, state) == removed
        assert_counts(driver, left)
        put(driver, *grouped(1), *grouped(1, "another"))
        found = [*drain(consumer)]
        assert len(found) == (3 if state == "parked" else 2)

    def test_moved_messages_join_the_groups_that_are_there(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, Lists):
            return
        sent = grouped(4)
        put(driver, *sent, message(b"there", "other", group="g"), *grouped(2, "new"))
        ids = [sent[2].id, sent[0].id, sent[1].id]
        assert driver.move(ids, "other") == 3
        assert sorted(bodies(drain(consumer))) == [b"0", b"3"]
        for body in (b"there", b"0", b"1", b"2"):
            (delivery,) = drain(consumer, "other")
            assert delivery.message.body == body
            consumer.settle([Done(delivery)])

    def test_a_message_that_is_moved_where_it_is_stays_first(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, Lists):
            return
        sent = grouped(3)
        put(driver, *sent)
        assert driver.move([sent[1].id, sent[0].id], QUEUE) == 2
        assert_counts(driver, Counts(ready=1, parked=2))
        assert bodies(drain(consumer)) == [b"0"]
