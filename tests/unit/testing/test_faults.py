"""A faulty driver fails on command, once, and is otherwise the driver that it wraps."""

import time
from uuid import uuid4

import pytest

from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists, Pauses, Rescues
from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.memory import MemoryDriver
from packhorse.driver.message import Counts, Message
from packhorse.driver.outcome import Done
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, ConnectionLost
from packhorse.testing import FaultyDriver

QUEUE = "default"


def memory(url: str = "memory://") -> Driver:
    return MemoryDriver.open(Url.parse(url), DriverSetup())


def message() -> Message:
    return Message(uuid4(), QUEUE, b"body")


def test_a_refused_call_has_no_effect_and_the_next_has_its() -> None:
    faulty = FaultyDriver(memory())
    faulty.refuse("send")
    with pytest.raises(ConnectionLost, match="send was told to fail before"):
        faulty.send([message()])
    assert faulty.counts(QUEUE) == Counts()
    assert faulty.send([message()])[0].state == "stored"


def test_a_lost_reply_is_lost_after_the_effect() -> None:
    faulty = FaultyDriver(memory())
    sent = message()
    faulty.lose_reply("send")
    with pytest.raises(ConnectionLost, match="send was told to fail after"):
        faulty.send([sent])
    assert faulty.send([sent])[0].state == "known"


def test_consumers_fail_too_and_each_command_strikes_as_often_as_it_says() -> None:
    faulty = FaultyDriver(memory())
    faulty.send([message()])
    consumer = faulty.consumer("w")
    (delivery,) = consumer.reserve([QUEUE], 1, 0).deliveries
    faulty.refuse("settle", times=2)
    faulty.lose_reply("settle")
    for _ in range(3):
        with pytest.raises(ConnectionLost):
            consumer.settle([Done(delivery)])
    assert consumer.settle([Done(delivery)]) == ["gone"]


def test_a_delayed_call_takes_longer() -> None:
    faulty = FaultyDriver(memory())
    faulty.delay("counts", 0.05)
    before = time.monotonic()
    assert faulty.counts(QUEUE) == Counts()
    assert time.monotonic() - before >= 0.05


def test_a_repeated_delivery_comes_twice_with_one_token() -> None:
    faulty = FaultyDriver(memory())
    faulty.send([message()])
    faulty.repeat_delivery()
    consumer = faulty.consumer("w")
    first, second = consumer.reserve([QUEUE], 10, 0).deliveries
    assert first == second
    assert consumer.settle([Done(first), Done(second)]) == ["applied", "gone"]


def test_it_has_the_abilities_of_the_driver_inside_and_no_other() -> None:
    able, unable = FaultyDriver(memory()), FaultyDriver(memory("memory://?like=sqs"))
    for ability in (Lists, Cancels, Pauses, KeepsDead, Rescues):
        assert isinstance(able, ability)
        assert not isinstance(unable, ability)
    assert isinstance(unable, Clears)
    assert not hasattr(unable, "pause")
    assert unable.capabilities == unable.driver.capabilities


def test_an_ability_is_carried_out_by_the_driver_inside_and_can_fail() -> None:
    inside = memory()
    faulty = FaultyDriver(inside)
    assert isinstance(faulty, Pauses)
    assert isinstance(inside, Pauses)
    faulty.refuse("pause")
    with pytest.raises(ConnectionLost):
        faulty.pause(QUEUE)
    faulty.pause(QUEUE, for_=None)
    assert inside.paused() == {QUEUE: None}


def test_it_is_opened_around_a_driver_not_by_a_url() -> None:
    with pytest.raises(ConfigError, match=r"FaultyDriver\(driver\)"):
        FaultyDriver.open(Url.parse("faulty://"), DriverSetup())
