"""Who comes when, and how often each was lost, as beanstalkd's numbers tell it."""

import pytest

from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.outcome import Done, Retry, Return
from packhorse.testing.promises.stage import bodies, drain, message, numbered, put, take, take_one
from tests.beanstalkd import TimedServer

pytestmark = pytest.mark.backend("beanstalkd")


@pytest.fixture
def consumer(driver: Driver) -> Consumer:
    return driver.consumer("worker-1")


def asked(server: TimedServer) -> int:
    """How many jobs the server was asked about one by one."""
    return server.stats()["cmd-stats-job"]


def test_a_queue_keeps_the_order_of_sending(driver: Driver, consumer: Consumer) -> None:
    put(driver, *numbered(40))
    held = take(consumer, 30)
    consumer.settle([Return(each) for each in reversed(held)])
    assert bodies(drain(consumer, limit=7)) == [b"%d" % number for number in range(40)]


def test_what_is_delayed_takes_the_place_that_it_had_when_it_was_sent(
    driver: Driver, consumer: Consumer, server: TimedServer
) -> None:
    put(driver, message(b"delayed", delay=5), message(b"first"))
    assert bodies(take(consumer, 1)) == [b"first"]
    put(driver, message(b"second"))
    server.advance(6)
    assert bodies(drain(consumer)) == [b"delayed", b"second"]


def test_a_lost_one_is_first_in_line_before_any_backlog(
    driver: Driver, other: Driver, server: TimedServer
) -> None:
    put(driver, message(b"lost"), *numbered(500))
    dies = other.consumer("dies")
    take_one(dies)
    server.advance(31)
    again = take_one(driver.consumer("lives"))
    assert (again.message.body, again.deliveries) == (b"lost", 2)


def test_what_a_cut_connection_held_is_first_in_line_at_once(driver: Driver, other: Driver) -> None:
    put(driver, message(b"lost"), *numbered(5))
    take_one(other.consumer("dies"))
    other.close()
    again = take_one(driver.consumer("lives"))
    assert (again.message.body, again.deliveries) == (b"lost", 2)


def test_losses_are_counted_for_each_job_of_a_big_reservation(
    driver: Driver, other: Driver, consumer: Consumer
) -> None:
    put(driver, *numbered(300))
    dies = other.consumer("dies")
    lost = take(dies, 100)
    dies.settle([Done(each) for each in lost[::3]])
    dies.settle([Return(each) for each in lost[1::3]])
    other.close()
    deliveries = {int(each.message.body): each.deliveries for each in drain(consumer, limit=300)}
    assert deliveries == {
        number: 2 if number < 100 and number % 3 == 2 else 1
        for number in range(300)
        if number >= 100 or number % 3
    }


def test_losses_add_up_and_end_with_a_retry(
    driver: Driver, consumer: Consumer, server: TimedServer
) -> None:
    put(driver, message())
    for count in (1, 2, 3):
        delivery = take_one(consumer)
        assert delivery.deliveries == count
        server.advance(31)
    consumer.settle([Return(take_one(consumer))])
    delivery = take_one(consumer)
    assert delivery.deliveries == 4
    consumer.settle([Retry(delivery, 0, b"again")])
    assert take_one(consumer).deliveries == 1


def test_a_row_of_fresh_jobs_costs_one_question(
    driver: Driver, consumer: Consumer, server: TimedServer
) -> None:
    put(driver, *numbered(1_000))
    before = asked(server)
    for _ in range(10):
        taken = take(consumer, 100)
        assert [each.deliveries for each in taken] == [1] * 100
        consumer.settle([Done(each) for each in taken])
    assert asked(server) - before == 10


def test_where_the_first_was_out_of_line_each_is_asked_for(
    driver: Driver, other: Driver, consumer: Consumer, server: TimedServer
) -> None:
    put(driver, message(b"delayed", delay=5), *numbered(3))
    dies = other.consumer("dies")
    assert bodies(take(dies, 2)) == [b"0", b"1"]
    other.close()
    server.advance(6)
    counts = [(each.message.body, each.deliveries) for each in take(consumer, 10)]
    assert counts == [(b"delayed", 1), (b"0", 2), (b"1", 2), (b"2", 1)]


def test_a_job_of_somebody_else_is_delivered_whole(
    driver: Driver, consumer: Consumer, server: TimedServer
) -> None:
    put(driver, message(b"ours"))
    for pushed in (b"put 0 0 60 5\r\n{1: 2", b"put 4000000000 0 60 0\r\n"):
        assert server.ask(pushed).startswith(b"INSERTED")
    first, ours, last = take(consumer, 10)
    assert bodies([first, ours, last]) == [b"{1: 2", b"ours", b""]
    assert first.deadline - server.monotonic() > 50
    assert consumer.settle([Return(first)]) == ["applied"]
    again = take_one(consumer)
    assert again.message.id == first.message.id
    assert consumer.settle([Retry(again, 0, b"now ours"), Done(last)]) == ["applied"] * 2
    assert take_one(consumer).message.body == b"now ours"
