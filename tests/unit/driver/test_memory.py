"""The memory driver beside the conformance suite: waking, lost replies, forks, what it keeps."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from uuid import UUID

import pytest

from packhorse.driver.contract import Consumer
from packhorse.driver.message import CANCELLED, Counts, Message, Reserved, Unique
from packhorse.driver.outcome import Dead, Done, Retry, Return
from packhorse.errors import ConnectionLost, Unsupported
from packhorse.testing import ManualClock, eventually
from tests.forking import ended_well, in_child
from tests.unit.driver.opening import QUEUE, memory, message, take, take_one, transport


def blocked(consumer: Consumer, wait: float = 20.0) -> "Future[tuple[Reserved, float]]":
    """A reservation in another thread: what it brought and when it came back."""
    future: Future[tuple[Reserved, float]] = Future()

    def reserve() -> None:
        future.set_result((consumer.reserve([QUEUE], 10, wait), time.monotonic()))

    threading.Thread(target=reserve, daemon=True).start()
    return future


def test_a_push_ends_a_blocked_reservation_at_once() -> None:
    driver = memory()
    waiting = blocked(driver.consumer("worker"))
    eventually(lambda: driver.blocked)
    started = time.monotonic()
    driver.send([message()])
    reserved, ended = waiting.result(5)
    assert len(reserved.deliveries) == 1
    assert ended - started < 0.5


def test_a_blocked_reservation_sleeps_until_the_next_message_falls_due() -> None:
    driver = memory()
    driver.send([message(delay=0.15)])
    started = time.monotonic()
    reserved, ended = blocked(driver.consumer("worker")).result(5)
    assert len(reserved.deliveries) == 1
    assert 0.14 < ended - started < 1


def test_a_blocked_reservation_takes_what_a_dead_worker_held_when_its_lease_ends() -> None:
    driver = memory(lease=0.15)
    driver.send([message()])
    take_one(driver.consumer("dead"))
    (again,) = blocked(driver.consumer("worker")).result(5)[0].deliveries
    assert again.deliveries == 2


@pytest.mark.parametrize("how", ["resume", "its end"])
def test_a_blocked_reservation_goes_on_when_a_pause_ends(how: str) -> None:
    driver = memory()
    driver.send([message()])
    driver.pause(QUEUE, None if how == "resume" else 0.15)
    waiting = blocked(driver.consumer("worker"))
    eventually(lambda: driver.blocked)
    if how == "resume":
        driver.resume(QUEUE)
    reserved, _ = waiting.result(5)
    assert (len(reserved.deliveries), reserved.paused) == (1, frozenset())


def test_cancel_return_and_rescue_end_a_blocked_reservation() -> None:
    driver = memory()
    delayed, held, lost = message(delay=60), message(), message()
    driver.send([delayed, held, lost])
    owner, worker = driver.consumer("owner"), driver.consumer("worker")
    (mine,) = take(owner, 1)
    take(driver.consumer("lost"), 1)
    acts: list[Callable[[], object]] = [
        lambda: driver.cancel([delayed.id]),
        lambda: owner.settle([Return(mine)]),
        lambda: driver.rescue("lost"),
    ]
    for act, expected in zip(acts, (delayed, held, lost), strict=True):
        waiting = blocked(worker)
        eventually(lambda: driver.blocked)
        act()
        (delivery,) = waiting.result(5)[0].deliveries
        assert delivery.message.id == expected.id
        worker.settle([Done(delivery)])


def test_wake_ends_a_blocked_reservation_empty_and_is_used_up() -> None:
    driver = memory()
    consumer, other = driver.consumer("worker"), driver.consumer("other")
    waiting, still = blocked(consumer), blocked(other)
    eventually(lambda: driver.blocked == 2)
    started = time.monotonic()
    consumer.wake()
    reserved, ended = waiting.result(5)
    assert reserved == Reserved([], None, frozenset())
    assert ended - started < 0.5
    assert not still.done()
    again = blocked(consumer, wait=0.1)
    assert again.result(5)[1] - ended >= 0.09
    assert not still.done()
    other.wake()
    still.result(5)


def test_wake_without_a_blocked_reservation_lets_the_next_one_not_block() -> None:
    driver = memory()
    consumer = driver.consumer("worker")
    consumer.wake()
    assert blocked(consumer).result(5)[0].deliveries == []


def test_next_due_is_the_nearest_of_delays_and_leases_of_the_asked_queues() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    driver.send([message(delay=40), message(), message(queue="other", delay=1)])
    assert consumer.reserve([QUEUE], 10, 0).next_due == 30
    assert consumer.reserve([QUEUE, "other"], 10, 0).next_due == 1
    driver.pause("other")
    reserved = consumer.reserve([QUEUE, "other"], 10, 0)
    assert reserved.next_due == 30
    assert reserved.paused == {"other"}
    driver.clear(QUEUE)
    assert consumer.reserve([QUEUE], 10, 0).next_due is None


def test_lost_replies_come_after_their_effect() -> None:
    driver = transport("?lose=2")
    consumer = driver.consumer("worker")
    sent = message()
    driver.send([message()])
    with pytest.raises(ConnectionLost, match="lose=2"):
        driver.send([sent])
    assert driver.send([sent])[0].state == "known"
    with pytest.raises(ConnectionLost):
        take(consumer)
    assert driver.counts(QUEUE) == Counts(reserved=2)


def test_a_lost_reservation_is_given_back_by_rescue_but_for_what_is_in_hand() -> None:
    driver = memory("?lose=3")
    consumer = driver.consumer("worker")
    driver.send([message(b"kept"), message(b"lost")])
    kept = take_one(consumer)
    with pytest.raises(ConnectionLost):
        take(consumer)
    assert driver.rescue("worker", keep=[kept.token]) == 1
    (again,) = take(consumer)
    assert (again.message.body, again.deliveries) == (b"lost", 1)
    assert consumer.settle([Done(kept), Done(again)]) == ["applied", "applied"]


def test_a_blamed_delivery_counts_and_goes_first_and_its_old_token_is_gone() -> None:
    driver = memory()
    dead, worker = driver.consumer("dead"), driver.consumer("worker")
    driver.send([message(b"unstarted"), message(b"blamed"), message(b"next")])
    unstarted, blamed = take(dead, 2)
    assert driver.rescue("dead", blamed=[blamed.message.id]) == 2
    assert driver.counts(QUEUE) == Counts(ready=3)
    assert dead.settle([Done(blamed), Done(unstarted)]) == ["gone", "gone"]
    assert [(each.message.body, each.deliveries) for each in take(worker)] == [
        (b"blamed", 2),
        (b"unstarted", 1),
        (b"next", 1),
    ]


def test_an_ended_lease_that_nobody_took_can_still_be_renewed_and_settled() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    driver.send([message()])
    delivery = take_one(consumer)
    clock.advance(31)
    driver.pause(QUEUE)
    assert take(driver.consumer("other")) == []
    assert consumer.renew([delivery]) == [clock.monotonic() + 30]
    driver.resume(QUEUE)
    assert take(driver.consumer("other")) == []
    clock.advance(31)
    assert consumer.settle([Done(delivery)]) == ["applied"]
    assert take(consumer) == []


def test_an_ended_lease_that_is_renewed_leaves_the_head_of_the_line() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer, other = driver.consumer("worker"), driver.consumer("other")
    driver.send([message(b"taken"), message(b"renewed")])
    _, renewed = take(consumer)
    clock.advance(31)
    assert [each.message.body for each in take(other, 1)] == [b"taken"]
    assert isinstance(consumer.renew([renewed])[0], float)
    assert take(other) == []
    assert driver.counts(QUEUE) == Counts(reserved=2)
    assert consumer.settle([Done(renewed)]) == ["applied"]


def test_renewing_a_cancelled_message_says_so_and_keeps_the_lease() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    driver.send([sent := message()])
    delivery = take_one(consumer)
    assert driver.cancel([sent.id]) == ["leased"]
    clock.advance(20)
    assert consumer.renew([delivery]) == [CANCELLED]
    clock.advance(20)
    assert take(driver.consumer("other")) == []
    assert consumer.settle([Retry(delivery, 60, b"late")]) == ["applied"]
    assert take_one(consumer).cancelled


def test_a_unique_key_or_a_group_is_refused_before_anything_is_sent() -> None:
    driver = transport("?like=beanstalkd")
    consumer = driver.consumer("worker")
    keyed = Message(UUID(int=1), QUEUE, b"", unique=Unique("key"))
    grouped = Message(UUID(int=2), QUEUE, b"", group="g")
    for refused, option in ((keyed, "unique"), (grouped, "group")):
        with pytest.raises(Unsupported, match=f"'here'.*'default'.*{option!r}"):
            driver.send([message(), refused])
    driver.send([message()])
    parent = take_one(consumer)
    with pytest.raises(Unsupported, match="unique"):
        consumer.settle([Done(parent, [keyed])])
    assert driver.counts(QUEUE) == Counts(reserved=1)


def test_a_follow_up_that_is_too_big_keeps_its_parent() -> None:
    driver = memory("?max_body=5")
    consumer = driver.consumer("worker")
    driver.send([message(b"small")])
    parent = take_one(consumer)
    assert consumer.settle([Done(parent, [message(b"too big")])]) == ["failed"]
    assert consumer.settle([Dead(parent, b"record", [message(b"fits")])]) == ["applied"]
    assert take_one(consumer).message.body == b"fits"


def test_the_brokers_clock_never_runs_back() -> None:
    class Backwards(ManualClock):
        back = 0.0

        def monotonic(self) -> float:
            return super().monotonic() - self.back

    clock = Backwards()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    driver.send([message(b"first")])
    clock.back = 100.0
    driver.send([message(b"second")])
    assert [each.message.body for each in take(consumer)] == [b"first", b"second"]


def test_a_forked_child_starts_empty_even_if_the_lock_was_held() -> None:
    driver = memory()
    driver.send([message()])

    def work() -> None:
        driver.after_fork()
        assert take(driver.consumer("child")) == []

    with driver.lock:
        child = in_child(work)
    assert ended_well(child)
    assert driver.counts(QUEUE) == Counts(ready=1)
