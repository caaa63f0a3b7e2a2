"""Dead messages: kept with their record until they are revived or forgotten."""

from uuid import uuid4

from packhorse.driver.abilities import Clears, KeepsDead, Lists
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Counts, Listed
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    message,
    put,
    refused,
    take,
    take_one,
)


class DeadMessages(Stage):
    """What failed for good is whole and can come back."""

    def bury(self, driver: Driver, consumer: Consumer, body: bytes = b"body") -> Listed:
        """A message that died of `b"why " + body`, as it should be listed."""
        sent = message(body)
        put(driver, sent)
        delivery = take_one(consumer)
        at = self.clock.wall()
        assert consumer.settle([Dead(delivery, b"why " + body)]) == ["applied"]
        return Listed(sent, "dead", at, record=b"why " + body)

    def test_a_dead_message_is_kept_with_its_record(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, KeepsDead):
            return refused(driver, KeepsDead)
        expected = self.bury(driver, consumer, b"\0\xff whole")
        assert isinstance(driver, Lists), "a driver that keeps dead messages lists them"
        for (listed,) in (
            driver.list(QUEUE, "dead", 10),
            driver.list(None, "dead", 10),
            driver.get([expected.message.id]),
        ):
            assert listed is not None
            assert (listed.message.id, listed.message.queue) == (expected.message.id, QUEUE)
            assert listed.message.body == b"\0\xff whole"
            assert (listed.state, listed.record) == ("dead", b"why \0\xff whole")
            assert abs(listed.moment - expected.moment) < 5
        assert_counts(driver, Counts())

    def test_dead_messages_are_listed_newest_first(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, KeepsDead) or not isinstance(driver, Lists):
            return refused(driver, KeepsDead)
        buried = []
        for body in (b"0", b"1", b"2"):
            buried.append(self.bury(driver, consumer, body).message.id)
            self.pass_time(driver, 0.01)
        listed = [each.message.id for each in driver.list(QUEUE, "dead", 10)]
        assert listed == buried[::-1]
        page = driver.list(None, "dead", 10, after=listed[0])
        assert [each.message.id for each in page] == listed[1:]

    def test_a_stale_dead_leaves_nothing_among_the_dead(
        self, driver: Driver, consumer: Consumer, other: Consumer
    ) -> None:
        if not isinstance(driver, KeepsDead) or not isinstance(driver, Lists):
            return refused(driver, KeepsDead)
        put(driver, message())
        stale = take_one(consumer)
        self.end_leases(driver)
        current = take_one(other)
        if driver.capabilities.fencing == "broker":
            assert consumer.settle([Dead(stale, b"ghost")]) == ["gone"]
        assert driver.list(None, "dead", 10) == []
        assert other.settle([Done(current)]) == ["applied"]

    def test_a_revived_message_waits_again_as_it_was_given(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, KeepsDead) or not isinstance(driver, Lists):
            return refused(driver, KeepsDead)
        put(driver, message(id=(id := uuid4())))
        take_one(consumer)
        self.end_leases(driver)
        consumer.settle([Dead(take_one(consumer), b"why")])
        (answer,) = driver.revive([message(b"fresh", "second", id=id)])
        assert (answer.id, answer.state) == (id, "stored")
        assert driver.list(None, "dead", 10) == []
        assert take(consumer) == []
        delivery = take_one(consumer, "second")
        assert (delivery.message.id, delivery.message.body) == (id, b"fresh")
        assert delivery.deliveries == 1

    def test_a_message_is_revived_with_a_delay(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, KeepsDead):
            return refused(driver, KeepsDead)
        id = self.bury(driver, consumer).message.id
        driver.revive([message(delay=self.delay(driver), id=id)])
        assert take(consumer) == []
        self.pass_delay(driver)
        assert take_one(consumer).message.id == id

    def test_only_a_dead_message_is_revived_and_only_once(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, KeepsDead):
            return refused(driver, KeepsDead)
        id = self.bury(driver, consumer).message.id
        ids = (uuid4(), id, id)
        answers = driver.revive([message(b"up", id=each) for each in ids])
        assert [answer.state for answer in answers] == ["known", "stored", "known"]
        assert [answer.id for answer in answers] == list(ids)
        assert len(take(consumer)) == 1

    def test_a_forgotten_message_is_gone(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, KeepsDead) or not isinstance(driver, Lists):
            return refused(driver, KeepsDead)
        first, second = (self.bury(driver, consumer).message.id for _ in range(2))
        assert driver.forget([first, uuid4()]) == 1
        assert driver.forget([first]) == 0
        assert [each.message.id for each in driver.list(None, "dead", 10)] == [second]
        assert driver.get([first]) == [None]

    def test_forgetting_spares_the_living(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, KeepsDead):
            return refused(driver, KeepsDead)
        alive = message()
        put(driver, alive)
        assert driver.forget([alive.id]) == 0
        assert len(take(consumer)) == 1

    def test_dead_messages_are_cleared_by_age(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, KeepsDead) or not isinstance(driver, Clears):
            return refused(driver, KeepsDead)
        assert isinstance(driver, Lists)
        self.bury(driver, consumer, b"old")
        self.pass_time(driver, self.lease)
        young = self.bury(driver, consumer, b"young").message.id
        assert driver.clear(QUEUE, "dead", older_than=self.lease / 2) == 1
        assert [each.message.id for each in driver.list(None, "dead", 10)] == [young]
        assert driver.clear(None, "dead") == 1
        assert driver.list(None, "dead", 10) == []
