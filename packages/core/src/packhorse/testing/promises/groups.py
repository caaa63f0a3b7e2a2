"""Groups: one of a group is leased at a time, in the order of sending."""

import pytest

from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists, Rescues
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Delivery, Message
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    bodies,
    can_delay,
    drain,
    message,
    put,
    take,
    take_one,
)


def grouped(count: int, group: str = "g", queue: str = QUEUE) -> list[Message]:
    """Messages of one group whose bodies are 0, 1, 2 …"""
    return [message(b"%d" % number, queue, group=group) for number in range(count)]


class Groups(Stage):
    """The first of a group is in line, leased or delayed; the others are parked behind it."""

    def test_one_of_a_group_is_leased_at_a_time_in_the_order_of_sending(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        sent = grouped(6)
        put(driver, *sent[:3])
        for each in sent[3:]:
            put(driver, each)
        for expected in sent:
            (delivery,) = take(consumer, 10)
            assert delivery.message.body == expected.body
            assert take(other, 10) == []
            assert consumer.settle([Done(delivery)]) == ["applied"]
        assert take(consumer) == []
        put(driver, *grouped(1))
        assert len(take(consumer)) == 1

    def test_groups_do_not_hold_one_another_up(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        names = ("g", "G", " g", "", "группа", "g\0", "'g'", "group" * 50)
        for name in names:
            put(driver, *(message(name.encode(), group=name) for _ in range(2)))
        put(driver, message(b"plain"), message(b"plain"))
        expected = sorted([*(name.encode() for name in names), b"plain", b"plain"])
        assert sorted(bodies(drain(consumer))) == expected
        put(driver, *grouped(2, queue="elsewhere"))
        assert bodies(drain(other, "elsewhere")) == [b"0"]

    def end(self, driver: Driver, consumer: Consumer, head: Delivery, how: str) -> bool:
        """Ends the head of a group; False if the driver has no such end."""
        if how == "cleared":
            return isinstance(driver, Clears) and driver.clear(QUEUE, "leased") == 1
        if how == "moved":
            consumer.settle([Return(head)])
            return isinstance(driver, Lists) and driver.move([head.message.id], "other") == 1
        outcome: Outcome = Done(head) if how == "done" else Dead(head, b"why")
        return consumer.settle([outcome]) == ["applied"]

    @pytest.mark.parametrize("how", ["done", "dead", "cleared", "moved"])
    def test_the_end_of_the_first_lets_the_next_come(
        self, driver: Driver, consumer: Consumer, how: str
    ) -> None:
        if not driver.capabilities.groups:
            return
        put(driver, *grouped(3))
        if not self.end(driver, consumer, take_one(consumer), how):
            return
        assert bodies(drain(consumer)) == [b"1"]

    def test_a_first_that_is_retried_holds_its_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        put(driver, *grouped(2))
        consumer.settle([Retry(take_one(consumer), self.delay(driver, 2), b"again")])
        if can_delay(driver):
            assert take(consumer) == []
        self.pass_delay(driver, 2)
        (again,) = drain(consumer)
        assert again.message.body == b"again"
        consumer.settle([Retry(again, 0, b"once more")])
        assert bodies(drain(consumer)) == [b"once more"]

    def test_a_first_that_is_returned_or_rescued_holds_its_group(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        put(driver, *grouped(2))
        consumer.settle([Return(take_one(consumer))])
        (again,) = drain(consumer)
        assert again.message.body == b"0"
        if isinstance(driver, Rescues):
            driver.rescue("worker-1", blamed=[again.message.id])
            assert bodies(drain(other)) == [b"0"]
            driver.rescue("worker-2")
            assert bodies(drain(consumer)) == [b"0"]

    def test_a_first_whose_worker_died_comes_again_before_the_next(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        put(driver, *grouped(3))
        stale = take_one(consumer)
        self.end_leases(driver)
        (again,) = drain(other)
        assert again.message.body == b"0"
        if driver.capabilities.fencing == "broker":
            assert consumer.settle([Done(stale)]) == ["gone"]
            assert take(consumer) == []
        other.settle([Done(again)])
        assert bodies(drain(consumer)) == [b"1"]

    def test_a_delayed_first_holds_its_group(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.groups or not can_delay(driver):
            return
        put(driver, message(b"first", delay=self.delay(driver), group="g"))
        put(driver, message(b"second", group="g"))
        assert take(consumer) == []
        self.pass_delay(driver)
        (first,) = drain(consumer)
        assert first.message.body == b"first"
        consumer.settle([Done(first)])
        assert bodies(drain(consumer)) == [b"second"]

    def test_the_next_comes_at_the_place_of_its_own_moment(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups:
            return
        put(driver, *grouped(2))
        self.pass_time(driver, 0.01)
        put(driver, message(b"later"), message(b"last", delay=self.delay(driver), group="g"))
        consumer.settle([Done(take_one(consumer))])
        first, second = take(consumer, 2)
        assert bodies([first, second]) == [b"1", b"later"]
        consumer.settle([Done(first)])
        if can_delay(driver):
            assert take(consumer) == []
        self.pass_delay(driver)
        assert bodies(take(consumer)) == [b"last"]

    def test_a_first_that_is_cancelled_lets_the_next_come_when_it_is_settled(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, Cancels):
            return
        first = message(b"first", delay=self.delay(driver, 4), group="g")
        put(driver, first, message(b"second", group="g"))
        driver.cancel([first.id])
        (delivery,) = drain(consumer)
        assert (delivery.message.body, delivery.cancelled) == (b"first", True)
        consumer.settle([Done(delivery)])
        assert bodies(drain(consumer)) == [b"second"]

    def test_a_revived_message_goes_behind_its_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or not isinstance(driver, KeepsDead):
            return
        assert isinstance(driver, Lists)
        put(driver, *grouped(2))
        consumer.settle([Dead(take_one(consumer), b"why")])
        (dead,) = driver.list(QUEUE, "dead", 10)
        assert dead.message.group == "g"
        assert driver.revive([dead.message])[0].state == "stored"
        put(driver, message(b"2", group="g"))
        for body in (b"1", b"0", b"2"):
            (delivery,) = drain(consumer)
            assert delivery.message.body == body
            consumer.settle([Done(delivery)])

    def test_a_follow_up_goes_behind_its_parents_group(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.groups or driver.capabilities.follow == "before":
            return
        put(driver, *grouped(2))
        follow = message(b"follow", group="g")
        consumer.settle([Done(take_one(consumer), [follow])])
        for body in (b"1", b"follow"):
            (delivery,) = drain(consumer)
            assert delivery.message.body == body
            consumer.settle([Done(delivery)])
