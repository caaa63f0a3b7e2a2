"""What beanstalkd answers when it will not, or cannot: draining, out of memory, too big, about to end."""

import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse.driver.abilities import Cancels, Clears, KeepsDead, Lists, Rescues
from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.message import Counts
from packhorse.driver.outcome import Done, Retry, Return
from packhorse.driver.url import Url
from packhorse.errors import ConfigError, ConnectionLost
from packhorse.testing import Running
from packhorse.testing.promises.stage import QUEUE, bodies, message, numbered, put, take, take_one
from tests.beanstalkd import TimedServer, serving
from tests.integration.beanstalkd.conftest import MakeDriver

pytestmark = pytest.mark.backend("beanstalkd")


def drain_mode(server: TimedServer) -> None:
    os.kill(server.pid, signal.SIGUSR1)
    server.ask(b"list-tube-used")


def test_a_draining_server_takes_nothing_new_and_loses_nothing(
    driver: Driver, server: TimedServer
) -> None:
    put(driver, *numbered(3))
    consumer = driver.consumer("works on")
    done, again, back = take(consumer, 3)
    drain_mode(server)
    with pytest.raises(ConnectionLost, match="it is draining"):
        driver.send([message()])
    assert consumer.settle([Done(done), Retry(again, 5, b"new"), Return(back)]) == ["applied"] * 3
    assert driver.counts(QUEUE) == Counts(ready=1, delayed=1)
    server.advance(6)
    # With its old body: a new one would be a new job. The attempt that failed is no loss.
    unchanged, back = take(consumer, 3)
    assert [(each.message.body, each.deliveries) for each in (unchanged, back)] == [
        (b"1", 1),
        (b"2", 1),
    ]


def test_a_wait_on_a_draining_server_is_woken(driver: Driver, server: TimedServer) -> None:
    consumer = driver.consumer("waits")
    drain_mode(server)
    running = Running(consumer.reserve, [QUEUE], 1, 30)
    time.sleep(0.05)
    consumer.wake()
    assert list(running.answer(within=5).deliveries) == []
    assert list(consumer.reserve([QUEUE], 1, 0.05).deliveries) == []


def test_what_the_server_finds_too_big_is_refused_and_names_the_option(
    tmp_path: Path, make_driver: MakeDriver
) -> None:
    with serving(TimedServer(tmp_path / "small", "-z", "1000")) as small:
        driver = make_driver(small.url)
        kept, refused, after = driver.send(
            [message(b"kept"), message(b"x" * 2_000), message(b"after")]
        )
        assert (kept.state, refused.state, after.state) == ("stored", "refused", "stored")
        assert "max_job_size" in str(refused.error)
        consumer = driver.consumer("w")
        first, second = take(consumer, 3)
        assert consumer.settle([Retry(first, 0, b"y" * 2_000), Done(second)]) == [
            "failed",
            "applied",
        ]
        assert consumer.settle([Done(first)]) == ["applied"]


def test_a_server_for_bigger_jobs_is_told_of_by_an_option(
    tmp_path: Path, make_driver: MakeDriver
) -> None:
    with serving(TimedServer(tmp_path / "big", "-z", "500000")) as big:
        driver = make_driver(f"{big.url}?max_job_size=500000")
        assert driver.capabilities.max_body == 500_000 - 27
        put(driver, message(b"x" * 400_000))
        assert len(take_one(driver.consumer("w")).message.body) == 400_000


def test_a_server_without_memory_takes_nothing_for_now(
    tmp_path: Path, make_driver: MakeDriver
) -> None:
    size = 30_000_000
    with serving(TimedServer(tmp_path / "poor", "-z", str(size))) as poor:
        driver = make_driver(f"{poor.url}?max_job_size={size}&timeout=20")
        put(driver, message(b"held"))
        consumer = driver.consumer("w")
        held = take_one(consumer)
        resource.prlimit(poor.pid, resource.RLIMIT_AS, (25_000_000, 25_000_000))
        huge = bytes(size - 100)
        with pytest.raises(ConnectionLost, match="out of memory"):
            driver.send([message(huge)])
        assert consumer.settle([Retry(held, 0, huge)]) == ["applied"]
        assert bodies(take(consumer)) == [b"held"]


def test_a_lease_that_is_about_to_end_hides_nothing(driver: Driver, server: TimedServer) -> None:
    put(driver, message(b"held"))
    consumer = driver.consumer("w")
    held = take_one(consumer)
    server.advance(29.5)  # beanstalkd then answers DEADLINE_SOON
    assert take(consumer) == []
    put(driver, message(b"next"))
    assert bodies(take(consumer)) == [b"next"]
    running = Running(consumer.reserve, [QUEUE], 1, 30)
    time.sleep(0.05)
    assert running.is_alive()
    assert consumer.settle([Done(held)]) == ["applied"]
    put(driver, message(b"last"))
    assert bodies(running.answer(within=5).deliveries) == [b"last"]


def test_a_pause_goes_to_whole_seconds(driver: Driver, server: TimedServer) -> None:
    put(driver, message())
    driver.pause(QUEUE, 1.2)  # type: ignore[attr-defined]
    server.advance(1.5)
    assert take(driver.consumer("w")) == []
    server.advance(0.6)
    assert len(take(driver.consumer("w"))) == 1


def test_what_it_cannot_do_it_does_not_declare(driver: Driver) -> None:
    things: object = driver
    assert not isinstance(things, Lists | Cancels | Clears | KeepsDead | Rescues)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("beanstalkd://localhost?max_job_sise=1", "did you mean 'max_job_size'"),
        ("beanstalkd://localhost?timeout=soon", "option 'timeout'"),
        ("beanstalkd://me:secret@localhost", "me:[*]{3}@localhost: beanstalkd knows no users"),
        ("beanstalkd://localhost/jobs", "beanstalkd knows no users, passwords and databases"),
    ],
)
def test_a_wrong_option_is_refused(url: str, said: str) -> None:
    from packhorse_beanstalkd.driver import BeanstalkdDriver

    with pytest.raises(ConfigError, match=said):
        BeanstalkdDriver.open(Url.parse(url), DriverSetup())


class Script(threading.Thread):
    """A server that answers as it was told to: no real one can be made to bury what is pushed to it."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        super().__init__(daemon=True)
        self.heard: list[bytes] = []
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.start()

    def run(self) -> None:
        connection, _ = self._listener.accept()
        with connection, connection.makefile("rb") as said:
            for line in said:
                word, *rest = line.split()
                self.heard.append(line.strip())
                if word == b"put":
                    said.read(int(rest[-1]) + 2)
                connection.sendall(self._answers[word])

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script({b"put": b"BURIED 7\r\n", b"delete": b"DELETED\r\n"})
    yield script
    script.close()


def test_what_is_buried_instead_of_stored_is_removed_and_was_not_sent(
    script: Script, make_driver: MakeDriver
) -> None:
    driver = make_driver(f"beanstalkd://127.0.0.1:{script.port}")
    with pytest.raises(ConnectionLost, match="out of memory"):
        driver.send([message()])
    assert script.heard[-1] == b"delete 7"
