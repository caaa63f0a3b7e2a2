"""Writing messages anew where they stand: only the body changes, and only what is still as it was read."""

from uuid import uuid4

from packhorse.driver.abilities import Lists, Rewrites
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Rewriting, Unique
from packhorse.driver.outcome import Dead, Done
from packhorse.testing.promises.stage import (
    Stage,
    bodies,
    drain,
    in_order,
    message,
    numbered,
    put,
    refused,
    take,
    take_one,
)


class Rewritten(Stage):
    """A new body takes the old one's place, and nothing else moves."""

    def test_a_body_is_replaced_and_its_place_kept(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Rewrites):
            return refused(driver, Rewrites)
        sent = numbered(3)
        put(driver, *sent)
        assert driver.rewrite([Rewriting(sent[1].id, b"1", b"\0\xff new, and longer")]) == 1
        found = bodies(drain(consumer))
        assert in_order(driver, found) == in_order(driver, [b"0", b"\0\xff new, and longer", b"2"])

    def test_a_delayed_one_stays_delayed_and_keeps_its_key(self, driver: Driver) -> None:
        if not isinstance(driver, Rewrites) or not isinstance(driver, Lists):
            return refused(driver, Rewrites)
        unique = Unique("key") if driver.capabilities.unique else None
        group = "group" if driver.capabilities.groups else None
        sent = message(b"old", delay=self.delay(driver), unique=unique, group=group)
        put(driver, sent)
        [before] = driver.get([sent.id])
        assert driver.rewrite([Rewriting(sent.id, b"old", b"new")]) == 1
        [after] = driver.get([sent.id])
        assert before is not None
        assert after is not None
        assert after.message.body == b"new"
        assert (after.state, after.moment) == (before.state, before.moment)
        kept = (after.message.unique, after.message.group)
        assert kept == (before.message.unique, before.message.group)

    def test_what_changed_meanwhile_stays_as_it_is(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if not isinstance(driver, Rewrites) or not isinstance(driver, Lists):
            return refused(driver, Rewrites)
        sent = message(b"current")
        put(driver, sent)
        stale = [Rewriting(sent.id, b"as it was", b"new"), Rewriting(uuid4(), b"current", b"new")]
        assert driver.rewrite(stale) == 0
        assert bodies(take(consumer)) == [b"current"]

    def test_what_a_worker_holds_stays_as_it_is(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Rewrites) or not isinstance(driver, Lists):
            return refused(driver, Rewrites)
        sent = message(b"old")
        put(driver, sent)
        delivery = take_one(consumer)
        assert driver.rewrite([Rewriting(sent.id, b"old", b"new")]) == 0
        assert consumer.settle([Done(delivery)]) == ["applied"]

    def test_a_dead_one_gets_its_record_too(self, driver: Driver, consumer: Consumer) -> None:
        if not isinstance(driver, Rewrites) or not isinstance(driver, Lists):
            return refused(driver, Rewrites)
        put(driver, message(b"one"), message(b"two"))
        died = take(consumer)
        outcomes = [Dead(each, b"why " + each.message.body) for each in died]
        assert consumer.settle(outcomes) == ["applied"] * 2
        ids = {each.message.body: each.message.id for each in died}
        changes = [
            Rewriting(ids[b"one"], b"one", b"1", b"why 1"),
            Rewriting(ids[b"two"], b"two", b"2"),
        ]
        assert driver.rewrite(changes) == 2
        found = {each.message.body: each.record for each in driver.list(None, "dead", 10)}
        assert found == {b"1": b"why 1", b"2": b"why two"}
