"""Listing: what an operator sees of a broker."""

from uuid import UUID, uuid4

from packhorse.driver.abilities import KeepsDead, Lists
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import State
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    QUEUE,
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


class Listing(Stage):
    """What is on the broker can be looked at, page by page and by id."""

    def test_each_message_is_listed_in_its_state(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        leased, waiting = message(b"leased"), message(b"waiting")
        delayed = message(b"delayed", delay=self.delay(driver, 2))
        put(driver, leased, waiting, delayed, message(b"elsewhere", "other"))
        take_one(consumer)
        now = self.clock.wall()
        expected: list[tuple[State, UUID, float]] = [
            ("waiting", waiting.id, now),
            ("delayed", delayed.id, now + self.delay(driver, 2)),
            ("leased", leased.id, now + self.whole_lease(driver)),
        ]
        for state, id, moment in expected:
            (listed,) = driver.list(QUEUE, state, 10)
            assert (listed.message.id, listed.state) == (id, state)
            assert listed.message.queue == QUEUE
            assert abs(listed.moment - moment) < max(1.0, self.lease / 10)
        (held,) = driver.list(QUEUE, "leased", 10)
        assert (held.deliveries, held.worker) == (1, "worker-1")
        assert driver.list(QUEUE, "dead", 10) == []

    def test_a_listing_of_all_queues_has_all(self, driver: Driver) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        sent = [message(queue=name) for name in ("a", "b", "c")]
        put(driver, *sent)
        listed = driver.list(None, "waiting", 10)
        assert {each.message.id for each in listed} == {each.id for each in sent}

    def test_pages_have_every_message_once_and_in_order(self, driver: Driver) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        sent = numbered(10)
        put(driver, *sent)
        found: list[UUID] = []
        while page := driver.list(QUEUE, "waiting", 3, found[-1] if found else None):
            assert len(page) <= 3
            found += [each.message.id for each in page]
            assert len(found) <= 10
        assert found == [each.id for each in sent]

    def test_delayed_messages_are_listed_soonest_first(self, driver: Driver) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        put(driver, *(message(b"%d" % n, delay=self.delay(driver, n)) for n in (3, 1, 2)))
        listed = driver.list(QUEUE, "delayed", 10)
        assert [each.message.body for each in listed] == [b"1", b"2", b"3"]
        rest = driver.list(QUEUE, "delayed", 10, listed[0].message.id)
        assert [each.message.body for each in rest] == [b"2", b"3"]

    def test_a_page_after_a_message_that_left_starts_from_the_front(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        put(driver, *numbered(4))
        last = driver.list(QUEUE, "waiting", 1)[0].message.id
        consumer.settle([Done(take_one(consumer))])
        listed = driver.list(QUEUE, "waiting", 10, after=last)
        assert [each.message.body for each in listed] == [b"1", b"2", b"3"]

    def test_messages_are_found_by_id_in_every_state(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        sent = {"dead": message(), "leased": message(), "waiting": message()}
        sent["delayed"] = message(delay=self.delay(driver))
        put(driver, *sent.values())
        consumer.settle([Dead(take_one(consumer), b"why")])
        take_one(consumer)
        missing = uuid4()
        found = driver.get([missing, *(each.id for each in sent.values())])
        assert found[0] is None
        states = [each and each.state for each in found[1:]]
        kept = "dead" if isinstance(driver, KeepsDead) else None
        assert states == [kept, "leased", "waiting", "delayed"]

    def test_queues_are_those_that_hold_a_message(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        names = ("waiting", "delayed", "leased", "dead", "done")
        put(driver, *(message(queue=name) for name in names if name != "delayed"))
        put(driver, message(queue="delayed", delay=self.delay(driver)))
        take_one(consumer, "leased")
        consumer.settle([Dead(take_one(consumer, "dead"), b"")])
        consumer.settle([Done(take_one(consumer, "done"))])
        kept = ["dead"] if isinstance(driver, KeepsDead) else []
        assert driver.queues() == [*kept, "delayed", "leased", "waiting"]

    def test_oldest_says_for_how_long_the_first_has_been_due(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        assert driver.oldest(QUEUE) is None
        put(driver, message(delay=self.delay(driver, 8)))
        assert driver.oldest(QUEUE) is None
        put(driver, message())
        self.pass_time(driver, self.lease / 5)
        put(driver, message())
        age = driver.oldest(QUEUE)
        assert age is not None
        assert self.lease / 5 - 0.01 <= age < self.lease
        take(consumer)
        assert driver.oldest(QUEUE) is None

    def test_moved_messages_wait_on_another_queue_at_their_moment(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Lists):
            return refused(driver, Lists)
        first, second, leased = message(b"first"), message(b"second"), message(b"leased")
        delayed = message(b"delayed", delay=self.delay(driver))
        put(driver, leased, first)
        take_one(consumer)
        self.pass_time(driver, 0.01)
        put(driver, message(b"between", "target"))
        self.pass_time(driver, 0.01)
        put(driver, second, delayed)
        ids = [second.id, first.id, delayed.id, leased.id, uuid4()]
        assert driver.move(ids, "target") == 3
        assert take(consumer) == []
        deliveries = drain(consumer, "target")
        assert bodies(deliveries) == [b"first", b"between", b"second"]
        assert {each.message.queue for each in deliveries} == {"target"}
        self.pass_delay(driver)
        assert bodies(take(consumer, queue="target")) == [b"delayed"]
