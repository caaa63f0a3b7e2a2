"""Unique keys: who holds one, and what a second sender is told."""

import pytest

from packhorse.driver.abilities import Cancels, KeepsDead, Lists, Rescues
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing.promises.keyed import (
    assert_free,
    assert_held,
    keyed,
    send_one,
)
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    bodies,
    drain,
    message,
    put,
    take,
    take_one,
)


class UniqueKeys(Stage):
    """Two live messages of a queue never hold the same key."""

    @pytest.mark.parametrize(
        "state", ["waiting", "delayed", "leased", "returned", "retried", "lost", "taken again"]
    )
    def test_a_live_message_holds_its_key(
        self, driver: Driver, consumer: Consumer, other: Consumer, state: str
    ) -> None:
        if not driver.capabilities.unique:
            return
        holder = keyed(delay=self.delay(driver) if state == "delayed" else 0)
        put(driver, holder)
        if state not in ("waiting", "delayed"):
            delivery = take_one(consumer)
            back: dict[str, Outcome] = {
                "returned": Return(delivery),
                "retried": Retry(delivery, self.delay(driver), b"again"),
            }
            if state in back:
                assert consumer.settle([back[state]]) == ["applied"]
            if state in ("lost", "taken again"):
                self.end_leases(driver)
            if state == "taken again":
                take_one(other)
        assert_held(driver, holder)

    def test_what_is_taken_leaves_nothing(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        holder, second = keyed(b"first"), keyed(b"second", once=self.lease)
        put(driver, holder)
        assert send_one(driver, second).holder == holder.id
        assert send_one(driver, second).state == "taken", "an id that was not stored is not known"
        assert bodies(drain(consumer)) == [b"first"]

    def test_a_key_is_one_of_its_queue(self, driver: Driver) -> None:
        if not driver.capabilities.unique:
            return
        names = ("key", "Key", " key", "", "ключ", "k\0", "k", "'k'", "key" * 80)
        put(driver, *(keyed(key=name) for name in names), message())
        put(driver, *(keyed(key=name, queue="elsewhere") for name in names))
        answers = driver.send([keyed(key=name) for name in names])
        assert {answer.state for answer in answers} == {"taken"}
        assert len({answer.holder for answer in answers}) == len(names)

    def test_in_a_batch_the_first_gets_the_key(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        first, second = keyed(b"first"), keyed(b"second")
        another, plain = keyed(b"another", key="another"), message(b"plain")
        answers = driver.send([first, second, plain, another, first])
        states = [answer.state for answer in answers]
        assert states == ["stored", "taken", "stored", "stored", "known"]
        assert answers[1].holder == first.id
        assert bodies(drain(consumer)) == [b"first", b"plain", b"another"]

    def test_a_known_id_is_known_whoever_holds_its_key(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not driver.capabilities.known_ids:
            return
        sent = keyed(once=self.lease)
        put(driver, sent)
        assert send_one(driver, sent).state == "known"
        consumer.settle([Done(take_one(consumer))])
        assert send_one(driver, sent).state == "known"
        put(driver, keyed())
        assert send_one(driver, sent).state == "known"

    def test_done_frees_the_key(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        put(driver, keyed())
        consumer.settle([Done(take_one(consumer))])
        assert_free(driver)

    def test_dead_frees_the_key(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        put(driver, keyed())
        consumer.settle([Dead(take_one(consumer), b"why")])
        assert_free(driver)

    def test_a_stale_token_frees_no_key(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.unique or driver.capabilities.fencing != "broker":
            return
        holder = keyed()
        put(driver, holder)
        stale = take_one(consumer)
        self.end_leases(driver)
        take_one(other)
        assert consumer.settle([Done(stale)]) == ["gone"]
        assert_held(driver, holder)

    def test_a_rescued_message_keeps_its_key(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Rescues):
            return
        holder = keyed()
        put(driver, holder)
        take_one(consumer)
        assert driver.rescue("worker-1", blamed=[holder.id]) == 1
        assert_held(driver, holder)

    def test_a_cancelled_message_holds_its_key_until_it_is_settled(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Cancels):
            return
        holder = keyed()
        put(driver, holder)
        driver.cancel([holder.id])
        assert_held(driver, holder)
        assert_held(driver, holder, keyed(on_taken="replace"))
        consumer.settle([Done(take_one(consumer))])
        assert_free(driver)

    def test_the_first_reservation_frees_a_key_until_reserved(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        first, second = keyed(b"first", until="reserved"), keyed(b"second")
        put(driver, first)
        assert_held(driver, first)
        delivery = take_one(consumer)
        put(driver, second)
        consumer.settle([Return(delivery)])
        (again,) = [each for each in drain(other) if each.message.body == b"first"]
        assert_held(driver, second)
        other.settle([Retry(again, 0, b"again")])
        assert_held(driver, second)
        other.settle([Done(each) for each in drain(other)])
        assert_held(driver, second)

    def test_a_window_holds_the_key_after_the_message_is_gone(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique:
            return
        gone = keyed(window=self.lease * 2)
        put(driver, gone)
        self.pass_time(driver, self.lease)
        consumer.settle([Done(take_one(consumer))])
        assert_held(driver, gone)
        assert_held(driver, gone, keyed(on_taken="replace"))
        self.pass_time(driver, self.lease * 1.1)  # it counts from the sending
        assert_free(driver)

    def test_a_window_holds_a_key_until_reserved(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        reserved = keyed(until="reserved", window=self.lease * 2)
        put(driver, reserved)
        consumer.settle([Return(take_one(consumer))])
        assert_held(driver, reserved, keyed(on_taken="replace"))
        self.pass_time(driver, self.lease * 2.1)
        assert_free(driver)

    def test_a_live_message_outlives_its_window(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.unique:
            return
        holder = keyed(window=self.lease / 4)
        put(driver, holder)
        self.pass_time(driver, self.lease / 2)
        assert_held(driver, holder)
        consumer.settle([Done(take_one(consumer))])
        assert_free(driver)

    def test_a_follow_up_whose_key_is_taken_is_absorbed(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or driver.capabilities.follow == "before":
            return
        holder, parent = keyed(b"holder"), message(b"parent")
        put(driver, parent, holder)
        delivery, _ = take(consumer, 2)
        follow = [keyed(b"absorbed"), message(b"sent")]
        assert consumer.settle([Done(delivery, follow)]) == ["applied"]
        assert bodies(drain(consumer)) == [b"sent"]
        assert_held(driver, holder)

    def test_a_follow_up_may_have_the_key_of_its_parent(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or driver.capabilities.follow == "before":
            return
        put(driver, keyed())
        follow = keyed(b"follow")
        assert consumer.settle([Done(take_one(consumer), [follow])]) == ["applied"]
        assert_held(driver, follow)
        dead = keyed(b"last")
        assert consumer.settle([Dead(take_one(consumer), b"why", [dead])]) == ["applied"]
        assert_held(driver, dead)

    def test_a_dead_message_is_listed_with_its_key_and_takes_it_anew(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not isinstance(driver, KeepsDead):
            return
        assert isinstance(driver, Lists)
        sent = keyed(window=self.lease)
        put(driver, sent)
        consumer.settle([Dead(take_one(consumer), b"why")])
        (dead,) = driver.list(QUEUE, "dead", 10)
        assert dead.message.unique == sent.unique
        # Its own window, which is not over, does not stand in its way.
        (answer,) = driver.revive([dead.message])
        assert answer.state == "stored"
        assert_held(driver, sent)
        consumer.settle([Done(take_one(consumer))])
        self.pass_time(driver, self.lease * 1.1)
        assert_free(driver)

    def test_a_message_whose_key_is_taken_stays_dead(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.unique or not isinstance(driver, KeepsDead):
            return
        assert isinstance(driver, Lists)
        dead, second, holder = keyed(b"dead"), keyed(b"second"), keyed(b"holder")
        for each in (dead, second):
            put(driver, each)
            consumer.settle([Dead(take_one(consumer), b"why")])
        put(driver, holder)
        (answer,) = driver.revive([dead])
        assert (answer.state, answer.holder) == ("taken", holder.id)
        assert len(driver.list(QUEUE, "dead", 10)) == 2
        consumer.settle([Done(take_one(consumer))])
        answers = driver.revive([dead, second])
        assert [each.state for each in answers] == ["stored", "taken"]
        assert answers[1].holder == dead.id
        assert driver.forget([second.id]) == 1
        assert_held(driver, dead)

    def test_a_moved_message_takes_its_key_along(self, driver: Driver) -> None:
        if not driver.capabilities.unique or not isinstance(driver, Lists):
            return
        moved, stays = keyed(b"moved"), keyed(b"stays", key="other")
        put(driver, moved, stays, keyed(b"there", key="other", queue="elsewhere"))
        assert driver.move([moved.id, stays.id], "elsewhere") == 1
        assert_held(driver, moved, keyed(queue="elsewhere"))
        assert_free(driver)
        assert_held(driver, stays, keyed(key="other"))
        assert driver.move([moved.id], "elsewhere") == 1
        assert_held(driver, moved, keyed(queue="elsewhere"))
