"""Hostile and odd input: refused or carried, never a crash and never a change elsewhere."""

from uuid import uuid4

import pytest
from msgspec.structs import replace

from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists, Pauses, Rescues
from packhorse.driver.contract import Consumer, Driver
from packhorse.driver.message import LOST, Counts
from packhorse.driver.outcome import Dead, Done, Outcome, Retry, Return
from packhorse.testing.promises.stage import (
    QUEUE,
    Stage,
    assert_counts,
    message,
    put,
    take,
    take_one,
)

FORGED = [b"", b"\0", b"0", b"1", b"*", b"' OR 1=1 --", b"\xff" * 16, b"x" * 300]
WORKERS = ["", "worker 1", "w'; DROP TABLE jobs --", "{w}", "grün-☃", "line\nbreak", "w" * 300]


class HostileInput(Stage):
    """What a driver is given from outside decides nothing that it should not."""

    @pytest.mark.parametrize("token", FORGED)
    def test_a_forged_token_changes_nothing(
        self, driver: Driver, consumer: Consumer, token: bytes
    ) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message(b"safe"))
        delivery = take_one(consumer)
        forged = replace(delivery, token=token)
        outcomes: list[Outcome] = [
            Done(forged),
            Retry(forged, 0, b"x"),
            Return(forged),
            Dead(forged, b"x"),
        ]
        assert consumer.settle(outcomes) == ["gone"] * 4
        assert consumer.renew([forged]) == [LOST]
        assert_counts(driver, Counts(reserved=1))
        assert consumer.settle([Done(delivery)]) == ["applied"]

    def test_a_token_settles_no_other_message(self, driver: Driver, consumer: Consumer) -> None:
        if driver.capabilities.fencing == "clock":
            return
        put(driver, message(b"mine"), message(b"yours"))
        mine, yours = take(consumer, 2)
        crossed = replace(mine, token=yours.token)
        consumer.settle([Done(yours)])
        assert consumer.settle([Done(crossed)]) == ["gone"]
        assert consumer.settle([Done(mine)]) == ["applied"]

    @pytest.mark.parametrize("worker", WORKERS)
    def test_a_worker_may_have_any_name(self, driver: Driver, worker: str) -> None:
        put(driver, message())
        consumer = driver.consumer(worker)
        delivery = take_one(consumer)
        if isinstance(driver, Rescues):
            assert driver.rescue(worker, keep=[b"' OR 1=1 --", delivery.token]) == 0
        assert consumer.settle([Done(delivery)]) == ["applied"]
        consumer.close()

    def test_empty_calls_are_answered_empty(self, driver: Driver, consumer: Consumer) -> None:
        assert driver.send([]) == []
        assert consumer.settle([]) == []
        assert consumer.renew([]) == []
        assert list(consumer.reserve([], 10, 0).deliveries) == []
        if isinstance(driver, Lists):
            assert driver.get([]) == []
            assert driver.move([], "elsewhere") == 0
        if isinstance(driver, Cancels):
            assert driver.cancel([]) == []
        if isinstance(driver, KeepsDead):
            assert driver.revive([]) == []
            assert driver.forget([]) == 0

    def test_what_is_not_there_is_no_error(self, driver: Driver, consumer: Consumer) -> None:
        nowhere, nobody = "no such queue", uuid4()
        put(driver, message())
        assert driver.counts(nowhere) == Counts()
        if isinstance(driver, Lists):
            assert driver.list(nowhere, "waiting", 10, after=nobody) == []
            assert driver.get([nobody]) == [None]
            assert driver.oldest(nowhere) is None
            assert driver.move([nobody], nowhere) == 0
        if isinstance(driver, Clears):
            assert driver.clear(nowhere) == 0
        if isinstance(driver, Pauses):
            driver.resume(nowhere)
        assert len(take(consumer)) == 1

    def test_many_messages_go_in_one_call(self, driver: Driver, consumer: Consumer) -> None:
        put(driver, *(message(b"%d" % number) for number in range(1_500)))
        deliveries = []
        while found := take(consumer, 1_500):
            deliveries += found
        assert len(deliveries) == 1_500
        assert len(consumer.renew(deliveries)) == 1_500
        assert consumer.settle([Done(each) for each in deliveries]) == ["applied"] * 1_500
        if isinstance(driver, Lists):
            assert driver.get([each.message.id for each in deliveries]) == [None] * 1_500
        assert_counts(driver, Counts(), QUEUE)
