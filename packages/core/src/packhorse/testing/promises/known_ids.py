"""Known ids: a message that is sent again is answered "known" and changes nothing."""

import pytest

from packhorse.driver.abilities import KeepsDead
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Message
from packhorse.driver.outcome import Dead, Done, Retry
from packhorse.errors import Unsupported
from packhorse.testing.promises.stage import Stage, bodies, drain, message, put, take, take_one


def states(driver: Driver, *messages: Message) -> list[str]:
    """What became of messages that were sent."""
    return [sent.state for sent in driver.send(messages)]


class KnownIds(Stage):
    """An id is known while its message lives and for `once` seconds after."""

    def test_a_driver_that_keeps_no_ids_never_says_known(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.known_ids:
            return
        sent = message(once=self.lease)
        try:
            put(driver, sent)
        except Unsupported:
            assert take(consumer) == []
            return
        consumer.settle([Done(take_one(consumer))])
        assert states(driver, sent) == ["stored"]
        assert len(take(consumer)) == 1

    @pytest.mark.parametrize("state", ["waiting", "delayed", "leased", "retried"])
    def test_sending_a_live_message_again_changes_nothing(
        self, driver: Driver, consumer: Consumer, state: str
    ) -> None:
        if not driver.capabilities.known_ids:
            return
        sent = message(b"first", delay=self.delay(driver) if state == "delayed" else 0)
        put(driver, sent)
        if state in ("leased", "retried"):
            delivery = take_one(consumer)
            if state == "retried":
                consumer.settle([Retry(delivery, self.delay(driver), b"first")])
        before = driver.counts("default")
        repeat = message(b"second", id=sent.id)
        assert states(driver, repeat, repeat) == ["known", "known"]
        assert driver.counts("default") == before
        self.end_leases(driver)
        assert bodies(drain(consumer)) == [b"first"]

    def test_a_repeat_in_one_batch_is_known(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.known_ids:
            return
        sent, another = message(b"twice"), message(b"another")
        assert states(driver, sent, another, sent) == ["stored", "stored", "known"]
        assert bodies(drain(consumer)) == [b"twice", b"another"]

    def test_a_repeat_for_another_queue_is_known(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.known_ids and driver.capabilities.follow == "atomic":
            sent = message()
            put(driver, sent)
            assert states(driver, message(queue="elsewhere", id=sent.id)) == ["known"]
            assert take(consumer, queue="elsewhere") == []

    def test_an_id_stays_known_for_once_seconds_after_the_message_is_gone(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.known_ids:
            return
        sent = message(b"once", once=self.lease)
        put(driver, sent)
        self.pass_time(driver, self.lease * 1.2)  # counts from its going, not from its sending
        consumer.settle([Done(take_one(consumer))])
        self.pass_time(driver, self.lease * 0.6)
        assert states(driver, sent) == ["known"]
        assert take(consumer) == []

    def test_an_id_is_not_known_when_its_time_is_over(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.known_ids:
            return
        sent = message(b"once", once=self.lease)
        put(driver, sent)
        consumer.settle([Done(take_one(consumer))])
        self.pass_time(driver, self.lease * 1.2)
        assert states(driver, sent) == ["stored"]
        assert bodies(take(consumer)) == [b"once"]

    def test_an_id_without_once_is_forgotten_with_its_message(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not driver.capabilities.known_ids:
            return
        sent = message()
        put(driver, sent)
        consumer.settle([Done(take_one(consumer))])
        assert states(driver, sent) == ["stored"]
        assert len(take(consumer)) == 1

    def test_once_outlives_a_retry(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.known_ids:
            return
        sent = message(b"once", once=self.lease)
        put(driver, sent)
        consumer.settle([Retry(take_one(consumer), 0, b"again")])
        consumer.settle([Done(take_one(consumer))])
        assert states(driver, sent) == ["known"]

    def test_the_id_of_a_dead_message_is_known(self, driver: Driver, consumer: Consumer) -> None:
        if not driver.capabilities.known_ids or not isinstance(driver, KeepsDead):
            return
        sent = message()
        put(driver, sent)
        consumer.settle([Dead(take_one(consumer), b"why")])
        assert states(driver, sent) == ["known"]
        assert take(consumer) == []
