"""`deferred://` and `background://`, the drivers: where each message runs, and when."""

import asyncio
import threading

import msgspec
import pytest

from packhorse import deferring
from packhorse.driver.background import BackgroundDriver
from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.deferred import DeferredDriver
from packhorse.driver.message import Counts, Message, Unique
from packhorse.driver.url import Url
from packhorse.driver.waiting import Waiting
from packhorse.errors import ConfigError, Unsupported
from packhorse.testing import Running, eventually
from tests.unit.driver.opening import QUEUE, message
from tests.unit.driver.ran import Ran


def opened(ran: Ran, url: str = "deferred://") -> Driver:
    kind = DeferredDriver if url.startswith("deferred") else BackgroundDriver
    return kind.open(Url.parse(url), DriverSetup(connection="here", runner=lambda: ran))


def test_outside_of_a_block_it_runs_at_once_and_here() -> None:
    ran = Ran()
    ran.after = {b"a": [message(b"follows")]}
    sent = opened(ran).send([message(b"a"), message(b"b")])
    assert [each.state for each in sent] == ["stored", "stored"]
    assert ran.bodies == [b"a", b"follows", b"b"]
    assert ran.threads == {threading.current_thread()}


def test_in_a_block_it_runs_at_its_end() -> None:
    ran = Ran()
    driver = opened(ran)
    with deferring():
        driver.send([message(b"a")])
        with deferring():
            driver.send([message(b"inner")])
        assert ran.bodies == [b"inner"]
        driver.send([message(b"b")])
    assert ran.bodies == [b"inner", b"a", b"b"]
    driver.send([message(b"c")])
    assert ran.bodies[-1] == b"c"


def test_a_block_that_fails_runs_what_it_sent() -> None:
    ran = Ran()

    def block() -> None:
        with deferring():
            opened(ran).send([message(b"a")])
            raise ValueError("the block's own")

    with pytest.raises(ValueError, match="the block's own"):
        block()
    assert ran.bodies == [b"a"]


def test_what_is_sent_while_it_runs_is_run_too_and_not_inside_the_other() -> None:
    log: list[bytes] = []

    class Nesting(Ran):
        def run(self, one: Message, /, *, quiet: bool = False) -> list[Message]:
            log.append(one.body + b" in")
            if one.body == b"a":
                driver.send([message(b"nested")])
            log.append(one.body + b" out")
            return []

    driver = opened(Nesting())
    with deferring():
        driver.send([message(b"a"), message(b"b")])
    assert log == [b"a in", b"a out", b"b in", b"b out", b"nested in", b"nested out"]


def test_each_thread_has_its_own_block_and_tasks_share_their_makers() -> None:
    ran = Ran()
    driver = opened(ran)
    with deferring():
        Running(driver.send, [message(b"thread")]).answer()
        assert ran.bodies == [b"thread"], "it was in no block"

        async def main() -> None:
            await asyncio.create_task(asyncio.to_thread(driver.send, [message(b"task")]))

        asyncio.run(main())
        assert ran.bodies == [b"thread"]
    assert ran.bodies == [b"thread", b"task"]


def test_who_comes_when_the_end_is_over_runs_at_once() -> None:
    ran = Ran()
    driver = opened(ran)
    waiting = Waiting()
    with waiting.collecting():
        assert waiting.is_over()
        driver.send([message(b"late")])
    assert ran.bodies == [b"late"]


def test_delays_and_repeats_go_to_a_thread() -> None:
    ran = Ran()
    first = message(b"first")
    ran.after = {b"first": [msgspec.structs.replace(first, body=b"again", delay=0.01)]}
    driver = opened(ran)
    driver.send([first, message(b"later", delay=3_600)])
    assert ran.bodies[0] == b"first"
    eventually(lambda: b"again" in ran.bodies)
    assert driver.counts(QUEUE) == Counts(delayed=1)
    driver.close()
    assert ran.bodies == [b"first", b"again"]
    assert [body for body, _ in ran.buried] == [b"later"]


def test_an_event_loop_is_not_held_up() -> None:
    ran = Ran()
    gate = ran.gates[b"slow"] = threading.Event()
    driver = opened(ran)

    async def main() -> None:
        driver.send([message(b"slow")])
        with deferring():
            driver.send([message(b"block")])
        gate.set()

    asyncio.run(main())
    driver.close()
    assert sorted(ran.bodies) == [b"block", b"slow"]
    assert threading.current_thread() not in ran.threads


def test_an_interrupt_buries_what_has_not_run() -> None:
    class Interrupted(Ran):
        def run(self, one: Message, /, *, quiet: bool = False) -> list[Message]:
            raise KeyboardInterrupt

    ran = Interrupted()
    driver = opened(ran)
    with pytest.raises(KeyboardInterrupt), deferring():
        driver.send([message(b"a"), message(b"b"), message(b"c")])
    assert [body for body, _ in ran.buried] == [b"b", b"c"]


def test_a_core_that_is_broken_takes_nobody_with_it(caplog: pytest.LogCaptureFixture) -> None:
    ran = Ran()
    with deferring():
        opened(ran).send([message(b"broken"), message(b"next")])
    assert ran.bodies == [b"broken", b"next"]
    assert "the core itself is broken" in caplog.text


def test_background_runs_in_threads() -> None:
    ran = Ran()
    driver = opened(ran, "background://?threads=2")
    with deferring():
        driver.send([message(b"a"), message(b"b")])
        eventually(lambda: len(ran.bodies) == 2)
    driver.close()
    assert sorted(ran.bodies) == [b"a", b"b"]
    assert threading.current_thread() not in ran.threads
    assert driver.counts(QUEUE) == Counts()


@pytest.mark.parametrize("url", ["deferred://", "background://"])
def test_what_neither_can(url: str) -> None:
    ran = Ran()
    driver = opened(ran, url)
    unique = Message(message().id, QUEUE, b"b", unique=Unique("key"))
    with pytest.raises(Unsupported):
        driver.send([message(b"a"), unique])
    assert ran.bodies == []
    with pytest.raises(ConfigError, match=rf"'here' runs its jobs in the processes .*{url}"):
        driver.consumer("worker")
    driver.after_fork()
    driver.close()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("deferred://?threads=2", "no option 'threads'"),
        ("background://?thread=2", "did you mean 'threads'"),
        ("background://?threads=0", "must be 1 or more"),
        ("background://?threads=many", "Expected `int`"),
    ],
)
def test_options_that_cannot_be(url: str, error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        opened(Ran(), url)
