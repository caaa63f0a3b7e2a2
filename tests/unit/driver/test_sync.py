"""`sync://` runs at once, in the caller's thread."""

import threading

import pytest

from packhorse.driver.contract import DriverSetup
from packhorse.driver.message import Counts, Message, Unique
from packhorse.driver.sync import SyncDriver
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, Unsupported
from tests.unit.driver.opening import QUEUE, message


class Runs:
    """Remembers what it ran, fails on the body `b"bad"`, and gives `after` what is to run next."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.threads: set[int] = set()
        self.after: dict[bytes, list[Message]] = {}

    def run(self, message: Message, /, *, quiet: bool = False) -> list[Message]:
        assert not quiet
        self.bodies.append(message.body)
        self.threads.add(threading.get_ident())
        if message.body == b"bad":
            raise ZeroDivisionError("the job's own")
        return self.after.get(message.body, [])

    def bury(self, message: Message, reason: str, /) -> list[Message]:
        raise AssertionError("what is sent here runs")


def opened(runs: Runs, url: str = "sync://") -> SyncDriver:
    return SyncDriver.open(Url.parse(url), DriverSetup(connection="here", runner=lambda: runs))


def test_each_message_runs_in_its_order_here_and_now_delays_ignored() -> None:
    runs = Runs()
    sent = opened(runs).send([message(b"a", delay=3_600), message(b"b")])
    assert [each.state for each in sent] == ["stored", "stored"]
    assert runs.bodies == [b"a", b"b"]
    assert runs.threads == {threading.get_ident()}


def test_what_follows_runs_at_once_and_before_the_next() -> None:
    runs = Runs()
    runs.after = {b"a": [message(b"again", delay=3_600)], b"again": [message(b"follows")]}
    opened(runs).send([message(b"a"), message(b"b")])
    assert runs.bodies == [b"a", b"again", b"follows", b"b"]


def test_what_a_job_raises_goes_to_the_caller_and_ends_the_batch() -> None:
    runs = Runs()
    with pytest.raises(ZeroDivisionError, match="the job's own"):
        opened(runs).send([message(b"bad"), message(b"after")])
    assert runs.bodies == [b"bad"]


def test_a_unique_key_is_refused_before_anything_runs() -> None:
    runs = Runs()
    unique = Message(message().id, QUEUE, b"b", unique=Unique("key"))
    with pytest.raises(Unsupported):
        opened(runs).send([message(b"a"), unique])
    assert runs.bodies == []


def test_there_is_nothing_to_work_on() -> None:
    driver = opened(Runs())
    assert driver.counts(QUEUE) == Counts()
    with pytest.raises(ConfigError, match="connection 'here' runs each job where it is dispatched"):
        driver.consumer("worker")
    driver.close()


def test_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="no option 'workers'"):
        opened(Runs(), "sync://?workers=2")
