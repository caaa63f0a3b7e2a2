"""What a runner takes: nothing whose lease has ended while it waited."""

import time
from collections.abc import Callable, Iterator

import pytest
from msgspec import structs

from packhorse import Packhorse, job
from packhorse.driver.outcome import Return
from packhorse.testing import eventually
from packhorse.worker.attempt import Verdict
from packhorse.worker.closing import Settlement
from packhorse.worker.execution import Execution
from packhorse.worker.hand import Hand
from packhorse.worker.keeper import Keeper
from packhorse.worker.loop_runner import LoopRunner
from packhorse.worker.runner import Terms
from packhorse.worker.thread_runner import ThreadRunner
from tests.unit.worker.attempts import execution

ran: list[str] = []


@job(name="plough")
def plough(name: str) -> None:
    ran.append(name)


@job(name="plough_async")
async def plough_async(name: str) -> None:
    ran.append(name)


@pytest.fixture
def app() -> Iterator[Packhorse]:
    ran.clear()
    with Packhorse("memory://") as app:
        yield app


@pytest.mark.parametrize(
    ("kind", "of"), [(ThreadRunner, plough.bind), (LoopRunner, plough_async.bind)]
)
def test_what_waited_until_its_lease_had_ended_is_not_run_but_returned(
    app: Packhorse, kind: type[ThreadRunner | LoopRunner], of: Callable[[str], object]
) -> None:
    hand = Hand(None, lambda: None)
    finished: list[Execution] = []

    def end(execution: Execution, verdict: Verdict) -> None:
        finished.append(execution)

    late, fresh = execution(app, of("late")), execution(app, of("fresh"))  # type: ignore[arg-type]
    late.delivery = structs.replace(late.delivery, token=b"late")
    late.deadline = time.monotonic()
    runner = kind(Terms(hand, 1, 0.0, end))
    for one in (late, fresh):
        hand.take(one)
        runner.submit(one)  # in this order, and one at a time
    eventually(lambda: finished == [fresh])
    runner.stop()
    assert ran == ["fresh"]
    assert list(hand.unstarted.values()) == [late]
    settled: list[Settlement] = []
    consumer = app.connection().driver.consumer("keeper")
    keeper = Keeper(consumer, hand, 30.0, False, settled.append, lambda error, pause: None)
    keeper.return_unstarted(late.delivery.deadline)
    assert [type(one.outcome) for one in settled] == [Return]
    assert settled[0].execution is late
