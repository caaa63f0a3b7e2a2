"""Replacing: a message that takes the place of one that waits under the same unique key."""

import pytest

from packhorse.driver.abilities import Cancels, Clears, Lists
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, State
from packhorse.driver.outcome import Done, Retry, Return
from packhorse.testing.promises.keyed import (
    assert_free,
    assert_held,
    keyed,
    replacing,
    send_one,
)
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    bodies,
    can_delay,
    drain,
    message,
    put,
    take,
    take_one,
)


class Replacing(Stage):
    """Who is superseded is handed out with that mark, at once, and settled by a worker."""

    def test_a_holder_that_waits_is_superseded(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        old, new = keyed(b"old"), replacing(b"new")
        put(driver, old, message(b"plain"))
        answer = send_one(driver, new)
        assert (answer.state, answer.superseded, answer.holder) == ("stored", old.id, None)
        marks = {each.message.body: (each.superseded, each.cancelled) for each in drain(consumer)}
        assert marks == {b"old": (True, False), b"plain": (False, False), b"new": (False, False)}

    def test_a_delayed_holder_is_due_at_once(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique or not can_delay(driver):
            return
        late = self.delay(driver, 2)
        old, new = keyed(b"old", delay=late), replacing(b"new", late)
        put(driver, old)
        assert send_one(driver, new).superseded == old.id
        assert_counts(driver, Counts(ready=1, delayed=1))
        delivery = take_one(consumer)
        assert (delivery.message.id, delivery.superseded) == (old.id, True)
        assert consumer.settle([Done(delivery)]) == ["applied"]
        assert_held(driver, new)
        self.pass_delay(driver, 2)
        delivery = take_one(consumer)
        assert (delivery.message.id, delivery.superseded) == (new.id, False)

    def test_a_leased_holder_is_not_replaced(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        old = keyed(b"old")
        put(driver, old)
        delivery = take_one(consumer)
        assert_held(driver, old, replacing())
        self.end_leases(driver)
        assert_held(driver, old, replacing())
        delivery = take_one(other)
        other.settle([Return(delivery)])
        assert send_one(driver, replacing()).superseded == old.id

    def test_a_retried_holder_is_replaced(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        old = keyed(b"old")
        put(driver, old)
        consumer.settle([Retry(take_one(consumer), self.delay(driver, 2), b"again")])
        assert send_one(driver, replacing(b"new")).superseded == old.id
        marks = {each.message.body: each.superseded for each in drain(consumer)}
        assert marks == {b"again": True, b"new": False}

    def test_a_cancelled_holder_is_not_replaced(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Cancels):
            return
        old = keyed(delay=self.delay(driver, 2))
        put(driver, old)
        driver.cancel([old.id])
        assert_held(driver, old, replacing())
        delivery = take_one(consumer)
        assert (delivery.cancelled, delivery.superseded) == (True, False)

    def test_the_mark_outlives_a_lost_lease_and_a_retry(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        old, new = keyed(b"old"), replacing(b"new")
        put(driver, old)
        send_one(driver, new)
        take(consumer, 1)
        self.end_leases(driver)
        delivery = take_one(other)
        assert (delivery.message.body, delivery.superseded) == (b"old", True)
        other.settle([Retry(delivery, self.delay(driver, 4), b"old")])
        marks = {each.message.body: each.superseded for each in drain(other)}
        assert marks == {b"old": True, b"new": False}
        assert_held(driver, new)

    def test_in_one_batch_each_replaces_the_one_before(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        first, second, third = keyed(b"1"), replacing(b"2"), replacing(b"3")
        answers = driver.send([first, second, third])
        assert [each.state for each in answers] == ["stored"] * 3
        assert [each.superseded for each in answers] == [None, first.id, second.id]
        marks = {each.message.body: each.superseded for each in drain(consumer)}
        assert marks == {b"1": True, b"2": True, b"3": False}
        assert_held(driver, third)

    def test_with_a_delay_it_is_the_last_of_a_run_that_runs(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not can_delay(driver):
            return
        for body in (b"0", b"1", b"2"):
            assert send_one(driver, replacing(body, self.delay(driver, 2))).state == "stored"
            self.pass_time(driver, self.delay(driver))
            consumer.settle([Done(each) for each in drain(consumer) if each.superseded])
        assert drain(consumer) == []
        self.pass_delay(driver)
        assert bodies(drain(consumer)) == [b"2"]

    def test_a_run_waits_no_longer_than_it_may(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique or not can_delay(driver):
            return
        step = self.delay(driver)
        for body in (b"0", b"1"):
            send_one(driver, replacing(body, 2 * step, max_wait=3 * step))
            self.pass_time(driver, step)
        send_one(driver, replacing(b"2", 2 * step, max_wait=3 * step))
        assert sorted(bodies(drain(consumer))) == [b"0", b"1"]
        self.pass_delay(driver)
        assert bodies(drain(consumer)) == [b"2"]

    def test_what_comes_after_a_run_begins_another(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not can_delay(driver):
            return
        step = self.delay(driver)
        put(driver, replacing(b"before", max_wait=step))
        consumer.settle([Done(take_one(consumer))])
        self.pass_time(driver, 2 * step)
        put(driver, replacing(b"after", step, max_wait=step))
        assert drain(consumer) == []
        self.pass_delay(driver)
        assert bodies(drain(consumer)) == [b"after"]

    def test_a_run_that_is_overdue_is_due_now(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique or not can_delay(driver):
            return
        step = self.delay(driver)
        put(driver, replacing(b"first"))
        self.pass_time(driver, 2 * step)
        send_one(driver, replacing(b"second", 4 * step, max_wait=step))
        assert sorted(bodies(drain(consumer))) == [b"first", b"second"]

    @pytest.mark.parametrize("state", ["waiting", "delayed", "leased"])
    def test_what_is_cleared_frees_its_key(
        self, driver: Driver, consumer: Consumer, state: State
    ) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Clears):
            return
        if state == "delayed" and not can_delay(driver):
            return
        put(driver, keyed(delay=self.delay(driver) if state == "delayed" else 0))
        if state == "leased":
            take_one(consumer)
        assert driver.clear(QUEUE, state) == 1
        assert_free(driver)

    def test_a_superseded_message_that_is_cleared_frees_nothing(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Clears):
            return
        if not can_delay(driver):
            return
        new = replacing(b"new", self.delay(driver))
        put(driver, keyed(b"old"))
        send_one(driver, new)
        assert driver.clear(QUEUE, "waiting") == 1
        assert_held(driver, new)
        assert driver.clear(QUEUE) == 1
        assert_free(driver)

    def test_a_superseded_message_is_listed_as_such(self, driver: Driver) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Lists):
            return
        old, new = keyed(delay=self.delay(driver)), replacing()
        put(driver, old)
        send_one(driver, new)
        found = driver.get([old.id, new.id])
        marks = [each and (each.state, each.superseded, each.cancelled) for each in found]
        assert marks == [("waiting", True, False), ("waiting", False, False)]
        assert [each and each.message.unique for each in found] == [old.unique, new.unique]
