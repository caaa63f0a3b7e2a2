"""Cancelling: a mark that the next worker, or the one that holds the message, learns of."""

from uuid import uuid4

from packhorse.driver.abilities import Cancels
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import CANCELLED
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    Stage,
    bodies,
    drain,
    message,
    numbered,
    put,
    refused,
    take,
    take_one,
)


class Cancelling(Stage):
    """A cancelled message is handed out with its mark, at once, and settled by a worker."""

    def test_a_waiting_message_is_handed_out_as_cancelled(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Cancels):
            return refused(driver, Cancels)
        sent = numbered(2)
        put(driver, *sent)
        assert driver.cancel([sent[1].id]) == ["marked"]
        marks = {each.message.body: each.cancelled for each in drain(consumer)}
        assert marks == {b"0": False, b"1": True}

    def test_a_delayed_message_that_is_cancelled_is_due_at_once(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Cancels):
            return refused(driver, Cancels)
        sent = message(delay=self.delay(driver, 4))
        put(driver, sent)
        assert driver.cancel([sent.id]) == ["marked"]
        delivery = take_one(consumer)
        assert delivery.cancelled
        assert consumer.settle([Done(delivery)]) == ["applied"]

    def test_a_holder_learns_of_it_by_renewing_and_keeps_its_lease(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, Cancels):
            return refused(driver, Cancels)
        put(driver, *numbered(2))
        cancelled, spared = take(consumer, 2)
        assert not cancelled.cancelled
        assert driver.cancel([cancelled.message.id]) == ["leased"]
        assert take(other) == []
        answers = consumer.renew([cancelled, spared])
        assert answers[0] is CANCELLED
        assert isinstance(answers[1], float)
        assert take(other) == []
        assert consumer.settle([Done(cancelled), Done(spared)]) == ["applied", "applied"]
        self.end_leases(driver)
        assert take(other) == []

    def test_the_mark_outlives_a_lost_lease(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Cancels):
            return refused(driver, Cancels)
        put(driver, message())
        driver.cancel([take_one(consumer).message.id])
        self.end_leases(driver)
        assert take_one(consumer).cancelled

    def test_what_is_not_there_or_dead_cannot_be_cancelled(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Cancels):
            return refused(driver, Cancels)
        dead, done, waiting = numbered(3)
        put(driver, dead, done)
        first, second = take(consumer, 2)
        consumer.settle([Dead(first, b"why"), Done(second)])
        put(driver, waiting)
        ids = [uuid4(), dead.id, waiting.id, done.id]
        assert driver.cancel(ids) == ["gone", "gone", "marked", "gone"]
        assert bodies(drain(consumer)) == [b"2"]
