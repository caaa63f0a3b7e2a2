"""`null://` takes everything and keeps nothing."""

import pytest

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import Counts, Message, Unique
from packhorse.driver.null import NullDriver
from packhorse.driver.url import Url
from packhorse.errors import ConfigError
from tests.unit.driver.opening import QUEUE, message


def opened(url: str = "null://") -> NullDriver:
    return NullDriver.open(Url.parse(url), DriverSetup(connection="off"))


def test_whatever_is_sent_is_taken_and_dropped() -> None:
    driver = opened()
    keyed = Message(message().id, QUEUE, b"", unique=Unique("key"), group="g")
    assert [sent.state for sent in driver.send([message(), keyed, keyed])] == ["stored"] * 3
    assert driver.counts(QUEUE) == Counts()
    driver.close()


def test_there_is_nothing_to_work_on() -> None:
    with pytest.raises(ConfigError, match="connection 'off' drops every job"):
        opened().consumer("worker")


def test_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="no option 'log'"):
        opened("null://?log=1")
