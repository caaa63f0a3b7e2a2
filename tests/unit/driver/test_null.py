"""`null://` takes everything and keeps nothing."""

import threading
import time

import pytest

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import LOST, Counts, Delivery, Message, Unique
from packhorse.driver.null import NullDriver
from packhorse.driver.outcome import Done
from packhorse.driver.url import Url
from packhorse.errors import ConfigError
from tests.unit.driver.opening import QUEUE, message


def opened(url: str = "null://") -> NullDriver:
    return NullDriver.open(Url.parse(url), DriverSetup())


def test_whatever_is_sent_is_taken_and_dropped() -> None:
    driver = opened()
    keyed = Message(message().id, QUEUE, b"", unique=Unique("key"), group="g")
    assert [sent.state for sent in driver.send([message(), keyed, keyed])] == ["stored"] * 3
    assert driver.counts(QUEUE) == Counts()
    assert driver.consumer("worker").reserve([QUEUE], 10, 0).deliveries == ()
    driver.close()


def test_a_reservation_waits_as_told_until_it_is_woken() -> None:
    consumer = opened().consumer("worker")
    started = time.monotonic()
    consumer.reserve([QUEUE], 10, 0.1)
    assert time.monotonic() - started >= 0.09
    threading.Timer(0.05, consumer.wake).start()
    consumer.reserve([QUEUE], 10, 30)
    assert time.monotonic() - started < 5


def test_nothing_is_held_so_nothing_can_be_settled_or_renewed() -> None:
    consumer = opened().consumer("worker")
    delivery = Delivery(message(), b"token", 1, 0.0, 0.0)
    assert consumer.settle([Done(delivery)]) == ["gone"]
    assert consumer.renew([delivery]) == [LOST]


def test_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="no option 'log'"):
        opened("null://?log=1")
