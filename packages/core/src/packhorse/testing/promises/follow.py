"""Follow-ups: what is sent by the settling of another message."""

import pytest

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import Delivery, Message
from packhorse.driver.outcome import Dead, Done
from packhorse.errors import Unsupported
from packhorse.testing.promises.stage import (
    Stage,
    bodies,
    can_delay,
    drain,
    message,
    put,
    take,
    take_one,
)

ENDS = ["done", "dead"]


def ended(kind: str, delivery: Delivery, *follow: Message) -> Done | Dead:
    """One of the two outcomes that can have follow-ups."""
    return Done(delivery, follow) if kind == "done" else Dead(delivery, b"record", follow)


class Follow(Stage):
    """A follow-up is sent if and only if its parent is applied, or refused from the start."""

    @pytest.mark.parametrize("kind", ENDS)
    def test_a_follow_up_is_sent_with_its_parent_or_refused(
        self, driver: Driver, consumer: Consumer, kind: str
    ) -> None:
        put(driver, message(b"parent"))
        parent = take_one(consumer)
        after = (message(b"next"), message(b"last"))
        if driver.capabilities.follow == "before":
            with pytest.raises(Unsupported):
                consumer.settle([ended(kind, parent, *after)])
            assert take(consumer) == []
            assert consumer.settle([ended(kind, parent)]) == ["applied"]
        else:
            assert consumer.settle([ended(kind, parent, *after)]) == ["applied"]
            assert bodies(drain(consumer)) == [b"next", b"last"]

    def test_a_follow_up_may_go_to_another_queue(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.follow != "atomic":
            return
        put(driver, message(b"parent"))
        consumer.settle([Done(take_one(consumer), [message(b"next", "elsewhere")])])
        assert take(consumer) == []
        assert bodies(take(consumer, queue="elsewhere")) == [b"next"]

    def test_a_follow_up_has_its_own_delay(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.follow == "before" or not can_delay(driver):
            return
        put(driver, message(b"parent"))
        later = message(b"later", delay=self.delay(driver))
        consumer.settle([Done(take_one(consumer), [later])])
        assert take(consumer) == []
        self.pass_delay(driver)
        assert bodies(take(consumer)) == [b"later"]

    @pytest.mark.parametrize("kind", ENDS)
    def test_a_stale_parent_sends_no_follow_up(
        self, driver: Driver, consumer: Consumer, other: Consumer, kind: str
    ) -> None:
        if driver.capabilities.follow == "before" or driver.capabilities.fencing == "clock":
            return
        put(driver, message(b"parent"))
        stale = take_one(consumer)
        self.end_leases(driver)
        current = take_one(other)
        assert consumer.settle([ended(kind, stale, message(b"ghost"))]) == ["gone"]
        assert take(consumer) == []
        assert other.settle([ended(kind, current, message(b"next"))]) == ["applied"]
        assert bodies(drain(consumer)) == [b"next"]

    def test_only_the_follow_ups_of_applied_parents_are_sent(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.follow == "before" or driver.capabilities.fencing == "clock":
            return
        put(driver, message(b"a"), message(b"b"), message(b"c"))
        a, b, c = take(consumer, 3)
        consumer.settle([Done(b)])
        parents = [Done(each, [message(b"after-" + each.message.body)]) for each in (a, b, c)]
        assert consumer.settle(parents) == ["applied", "gone", "applied"]
        assert bodies(drain(consumer)) == [b"after-a", b"after-c"]

    def test_a_follow_up_whose_id_is_known_is_absorbed(
        self, driver: Driver, consumer: Consumer
    ) -> None:
        if driver.capabilities.follow == "before" or not driver.capabilities.known_ids:
            return
        put(driver, message(b"a"), message(b"b"), message(b"c"))
        a, b, c = take(consumer, 3)
        queue = "elsewhere" if driver.capabilities.follow == "atomic" else "default"
        sent = message(b"once only", queue, once=self.lease * 8)
        assert consumer.settle([Done(a, [sent])]) == ["applied"]
        assert consumer.settle([Done(b, [sent])]) == ["applied"]
        (only,) = drain(consumer, queue)
        consumer.settle([Done(only)])
        assert consumer.settle([Done(c, [sent])]) == ["applied"]
        assert drain(consumer, queue) == []
