"""Connections that wait, are cut, half-closed, stalled or lose a reply, and a server that starts again."""

import signal
import time
from collections.abc import Iterator

import pytest

from packhorse.driver.contract import Driver
from packhorse.driver.message import LOST, Counts, Delivery
from packhorse.driver.outcome import Done, Retry, Return
from packhorse.errors import ConnectionLost
from packhorse.testing import FaultProxy, Running, eventually
from packhorse.testing.promises.stage import (
    QUEUE,
    bodies,
    drain,
    message,
    numbered,
    put,
    take,
    take_one,
)
from tests.beanstalkd import TimedServer
from tests.forking import ended_well, in_child
from tests.integration.beanstalkd.conftest import MakeDriver

pytestmark = pytest.mark.backend("beanstalkd")


@pytest.fixture
def proxy(server: TimedServer) -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1", server.port) as proxy:
        yield proxy


@pytest.fixture
def far(proxy: FaultProxy, make_driver: MakeDriver) -> Driver:
    """A driver whose connections go through the proxy, with little patience."""
    return make_driver(f"beanstalkd://127.0.0.1:{proxy.port}?timeout=0.3")


def test_a_cut_hands_back_at_once_and_ends_all_tokens(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    put(driver, *numbered(3))
    consumer = far.consumer("cut")
    held = take(consumer, 3)
    proxy.cut()
    other = driver.consumer("other")
    found = eventually(lambda: take(other, 3))
    assert bodies(found) == [b"0", b"1", b"2"]
    with pytest.raises(ConnectionLost, match="connection 'default': beanstalkd at"):
        consumer.renew(held)
    assert consumer.renew(held) == [LOST] * 3
    assert consumer.settle([Done(each) for each in held]) == ["gone"] * 3
    assert other.settle([Done(each) for each in found]) == ["applied"] * 3


def test_a_consumer_goes_on_after_a_cut(driver: Driver, far: Driver, proxy: FaultProxy) -> None:
    put(far, *numbered(2))
    consumer = far.consumer("cut")
    first = take_one(consumer)
    assert consumer.settle([Done(first)]) == ["applied"]
    proxy.cut()
    with pytest.raises(ConnectionLost):
        take(consumer)
    assert bodies(take(consumer)) == [b"1"]


def test_a_reservation_that_waits_learns_that_it_is_cut(far: Driver, proxy: FaultProxy) -> None:
    consumer = far.consumer("waits")
    running = Running(consumer.reserve, [QUEUE], 1, 30)
    eventually(lambda: proxy.connections == 1)
    time.sleep(0.05)
    proxy.cut()
    with pytest.raises(ConnectionLost):
        running.answer(within=5)


def test_a_half_closed_connection_is_given_up(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    put(driver, *numbered(2))
    consumer = far.consumer("half")
    held = take_one(consumer)
    proxy.half_close()
    with pytest.raises(ConnectionLost):
        consumer.settle([Done(held)])
    assert consumer.settle([Done(held)]) == ["gone"]
    assert bodies(take(consumer)) == [b"1"]


def test_a_server_that_says_nothing_is_given_up_in_time(far: Driver, proxy: FaultProxy) -> None:
    put(far, message(b"before"))
    proxy.stall()
    started = time.monotonic()
    with pytest.raises(ConnectionLost):
        far.send([message(b"during")])
    with pytest.raises(ConnectionLost):
        far.counts(QUEUE)
    assert time.monotonic() - started < 5
    proxy.resume()
    put(far, message(b"after"))
    found = bodies(drain(far.consumer("looks")))
    assert found[0] == b"before"
    assert b"after" in found


def test_a_wake_whose_server_says_nothing_ends_all_the_same(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    consumer = far.consumer("waits")
    running = Running(consumer.reserve, [QUEUE], 1, 30)
    eventually(lambda: proxy.connections == 1)
    time.sleep(0.05)
    proxy.stall()
    consumer.wake()
    with pytest.raises(ConnectionLost):
        running.answer(within=5)
    proxy.resume()
    put(driver, message(b"after"))
    found = eventually(lambda: take(consumer))
    assert bodies(found) == [b"after"]
    assert consumer.settle([Done(found[0])]) == ["applied"]


def test_an_answer_that_nobody_read_is_never_taken_for_another(
    far: Driver, proxy: FaultProxy
) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    put(far, message())
    proxy.delay(0.1)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interrupted):
            far.send([message()])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert far.counts(QUEUE).ready >= 1
    assert [sent.state for sent in far.send([message()])] == ["stored"]


def test_what_was_sent_is_there_though_the_answer_is_lost(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    proxy.lose_replies()
    with pytest.raises(ConnectionLost):
        far.send([message(b"sent")])
    eventually(lambda: driver.counts(QUEUE).ready == 1)


def test_what_was_settled_is_gone_though_the_answer_is_lost(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    put(driver, message())
    consumer = far.consumer("settles")
    held = take_one(consumer)
    proxy.lose_replies()
    with pytest.raises(ConnectionLost):
        consumer.settle([Done(held)])
    proxy.resume()
    assert consumer.settle([Done(held)]) == ["gone"]
    eventually(lambda: driver.counts(QUEUE) == Counts())


def test_a_retry_whose_answer_is_lost_leaves_one_or_two_and_never_none(
    driver: Driver, far: Driver, proxy: FaultProxy
) -> None:
    put(driver, message(b"old"))
    consumer = far.consumer("settles")
    held = take_one(consumer)
    proxy.lose_replies()
    with pytest.raises(ConnectionLost):
        consumer.settle([Retry(held, 0, b"new")])
    eventually(lambda: driver.counts(QUEUE).reserved == 0)
    assert b"new" in bodies(drain(driver.consumer("looks")))


def test_a_server_that_is_killed_and_starts_again_has_lost_nothing(
    driver: Driver, server: TimedServer
) -> None:
    consumer = driver.consumer("goes on")
    put(driver, *numbered(5), message(b"later", delay=60))
    first, second = take(consumer, 2)
    assert consumer.settle([Done(first)]) == ["applied"]
    running = Running(consumer.reserve, ["elsewhere"], 1, 30)
    time.sleep(0.05)
    server.stop()
    with pytest.raises(ConnectionLost):
        running.answer(within=5)
    with pytest.raises(ConnectionLost, match="refused"):
        driver.send([message()])
    server.start()
    put(driver, message(b"new"))
    with pytest.raises(ConnectionLost):
        consumer.settle([Done(second)])
    assert consumer.settle([Done(second)]) == ["gone"]
    assert bodies(drain(consumer)) == [b"1", b"2", b"3", b"4", b"new"]
    assert driver.counts(QUEUE).delayed == 1


def test_jobs_that_come_one_by_one_and_run_on_do_not_take_a_connection_each(
    driver: Driver, server: TimedServer
) -> None:
    consumer = driver.consumer("slow jobs")
    held: list[Delivery] = []
    for number in range(25):
        running = Running(consumer.reserve, [QUEUE], 1, 30)
        time.sleep(0.01)
        put(driver, message(b"%d" % number))
        held += running.answer(within=5).deliveries
    assert bodies(held) == [b"%d" % number for number in range(25)]
    assert server.stats()["current-connections"] < 20
    assert all(isinstance(answer, float) for answer in consumer.renew(held))
    assert consumer.settle([Done(each) for each in held]) == ["applied"] * 25


def test_a_late_settlement_of_what_another_gave_back_changes_nothing(
    driver: Driver, other: Driver, server: TimedServer
) -> None:
    put(driver, message(b"whole"))
    late, lives = driver.consumer("late"), other.consumer("lives")
    stale = take_one(late)
    server.advance(31)
    (taken,) = take(lives)
    assert lives.settle([Return(taken)]) == ["applied"]
    assert late.settle([Done(stale)]) == ["gone"]
    assert bodies(take(lives)) == [b"whole"]


def test_a_forked_child_has_connections_of_its_own(driver: Driver) -> None:
    put(driver, message(b"held"))
    consumer = driver.consumer("parent")
    held = take_one(consumer)

    def sends() -> None:
        driver.after_fork()
        put(driver, message(b"child"))
        assert bodies(take(driver.consumer("child"))) == [b"child"]

    assert ended_well(in_child(sends))
    put(driver, message(b"parent"))
    assert isinstance(consumer.renew([held])[0], float)
    assert consumer.settle([Done(held)]) == ["applied"]
    assert bodies(eventually(lambda: take(consumer))) == [b"child", b"parent"]
