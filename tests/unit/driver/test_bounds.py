"""The memory driver keeps no more than it needs, and slows down with nothing that is gone."""

import time

from packhorse.driver.line import Line
from packhorse.driver.message import Message, Unique
from packhorse.driver.outcome import Done
from packhorse.ids import new_id
from packhorse.testing import ManualClock
from tests.unit.driver.opening import QUEUE, memory, message, take


def test_ids_that_are_no_longer_known_take_no_room() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    for _ in range(30):
        driver.send([message(once=10) for _ in range(500)])
        consumer.settle([Done(each) for each in take(consumer, 500)])
        clock.advance(11)
    assert len(driver.broker._known.ends) <= 2_500


def test_keys_whose_windows_are_over_take_no_room() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    for turn in range(30):
        keys = [Unique(f"{turn}-{number}", window=10) for number in range(500)]
        driver.send([Message(new_id(), QUEUE, b"", unique=key) for key in keys])
        consumer.settle([Done(each) for each in take(consumer, 500)])
        clock.advance(11)
    assert len(driver.broker._keys._held) <= 2_500


def test_groups_that_are_empty_and_parked_messages_that_are_gone_take_no_room() -> None:
    driver = memory()
    consumer = driver.consumer("worker")
    for number in range(20):
        sent = [Message(new_id(), QUEUE, b"", group=f"g{number}") for _ in range(200)]
        driver.send(sent)
        (head,) = take(consumer, 10)
        driver.cancel([each.id for each in sent[1:]])
        groups = driver.broker.lines[QUEUE].groups
        assert sum(map(len, groups._parked.values())) <= 200
        consumer.settle([Done(head)])
        consumer.settle([Done(each) for each in take(consumer, 200)])
    assert (groups._heads, groups._parked, groups.parked) == ({}, {}, 0)


def test_cancelled_and_cleared_messages_take_no_room() -> None:
    driver = memory()
    for _ in range(20):
        driver.send([message(delay=3_600) for _ in range(200)])
        driver.clear(QUEUE)
    line = driver.broker.lines[QUEUE]
    assert len(line) == 0
    assert len(line._later) <= 400


def test_queues_that_are_empty_take_no_room() -> None:
    driver = memory()
    consumer = driver.consumer("worker")
    for number in range(5_000):
        driver.send([message(queue=f"tenant-{number}")])
        (delivery,) = consumer.reserve([f"tenant-{number}"], 1, 0).deliveries
        consumer.settle([Done(delivery)])
    assert len(driver.broker.lines) < 2_500


def test_ending_many_leases_at_once_is_not_quadratic() -> None:
    clock = ManualClock()
    driver = memory(clock=clock)
    consumer = driver.consumer("worker")
    driver.send([message() for _ in range(20_000)])
    take(consumer, 20_000)
    clock.advance(31)
    started = time.perf_counter()
    assert len(take(consumer, 1)) == 1
    assert time.perf_counter() - started < 1


def test_a_line_that_was_never_used_is_empty() -> None:
    line = Line()
    assert (len(line), line.pop(0.0), line.next_moment()) == (0, None, None)
