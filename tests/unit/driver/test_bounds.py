"""The memory driver keeps no more than it needs, and slows down with nothing that is gone."""

import time

from packhorse.driver.line import Line
from packhorse.driver.outcome import Done
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
    assert len(driver.broker._known._ends) <= 2_500


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
