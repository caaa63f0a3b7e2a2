"""Groups with real workers: one of a group at a time, in the order of sending, whatever becomes of it."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from packhorse import JobContext, Packhorse, events, job
from packhorse.testing import Recorder, eventually
from tests.integration.conftest import MEMORY, REDIS, SQLITE, MakeApp
from tests.integration.jobs import lasts, poison, quick
from tests.integration.journal import journal
from tests.integration.processes import Stable, kill
from tests.integration.working import becomes_empty, drain, working

GROUPS = 5

grouping = pytest.mark.parametrize(
    "url",
    [MEMORY, pytest.param("memory://?like=cluster", id="cluster"), SQLITE],
    indirect=True,
)

_lock = threading.Lock()
_running: defaultdict[str, int] = defaultdict(int)
overlaps: list[str] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    _running.clear()
    overlaps.clear()


@job(name="groups.step")
def step(group: str, number: int) -> None:
    with _lock:
        _running[group] += 1
        if _running[group] > 1:
            overlaps.append(group)
    journal.note(f"{group} {number}")
    time.sleep(0.002)
    with _lock:
        _running[group] -= 1


@job(name="groups.flaky", tries=3, backoff=0.05)
def flaky(ctx: JobContext, number: int) -> None:
    journal.note(f"{number} attempt {ctx.attempt}")
    if number == 0 and ctx.attempt < 3:
        raise ValueError("not yet")


@job(name="groups.fails")
def fails(number: int) -> None:
    journal.note(f"{number}")
    if number == 0:
        raise ValueError("no")


@grouping
def test_e12_two_workers_keep_the_order_of_each_group(app: Packhorse) -> None:
    count = 20
    app.queue().push_many(
        step.using(group=f"g{n % GROUPS}").bind(f"g{n % GROUPS}", n) for n in range(GROUPS * count)
    )
    counts = app.queue().counts()
    assert (counts.ready, counts.parked) == (GROUPS, GROUPS * (count - 1))
    with working(app, concurrency=8), working(app, concurrency=8):
        becomes_empty(app)
    assert overlaps == []
    for group in range(GROUPS):
        mine = [int(note.split()[1]) for note in journal.notes if note.startswith(f"g{group} ")]
        assert mine == list(range(group, GROUPS * count, GROUPS))


@grouping
def test_e12_a_retry_of_the_first_holds_its_group(app: Packhorse) -> None:
    for number in range(3):
        flaky.using(group="g").dispatch(number)
    flaky.using(group="other").dispatch(7)
    with working(app):
        becomes_empty(app)
    mine = [note for note in journal.notes if not note.startswith("7")]
    assert mine == ["0 attempt 1", "0 attempt 2", "0 attempt 3", "1 attempt 1", "2 attempt 1"]
    assert journal.notes.index("7 attempt 1") < journal.notes.index("0 attempt 3")


@grouping
def test_e12_a_first_that_fails_for_good_lets_the_next_come(app: Packhorse) -> None:
    first, _ = (fails.using(group="g").dispatch(number) for number in range(2))
    drain(app)
    assert journal.notes == ["0", "1"]
    fails.using(group="g").dispatch(2)
    assert app.failed.retry(first.id) == 1  # now it is behind those that wait
    drain(app)
    assert journal.notes == ["0", "1", "2", "0"]


@grouping
def test_e12_a_first_that_is_cancelled_lets_the_next_come(app: Packhorse) -> None:
    first, *_ = (fails.using(group="g").dispatch(number) for number in range(3))
    first.cancel()
    drain(app)
    assert journal.notes == ["1", "2"]


@grouping
def test_e12_a_delayed_first_holds_its_group_and_no_other(app: Packhorse) -> None:
    step.using(group="g", delay=60).dispatch("g", 0)
    second = step.using(group="g").dispatch("g", 1)
    step.using(group="h").dispatch("h", 2)
    drain(app)
    assert journal.notes == ["h 2"]
    assert second.state() == "parked"


@grouping
def test_a_unique_one_that_is_taken_leaves_its_group_alone(app: Packhorse) -> None:
    one = step.using(group="g", unique=True)
    assert [one.dispatch("g", n).skipped for n in (0, 0, 1, 1)] == [False, True, False, True]
    drain(app)
    assert journal.notes == ["g 0", "g 1"]


@pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)
def test_a_first_whose_worker_lost_it_is_first_again(make_app: MakeApp) -> None:
    app = make_app(lease=1.0)
    heard = Recorder()  # the one that was lost may run in a process of its own
    app.on(events.JobProcessed)(heard)
    sent = [step.using(group="g").dispatch("g", number).id for number in range(3)]
    gone = app.connection().driver.consumer("dies")
    (taken,) = gone.reserve(["default"], 5, 0).deliveries
    assert taken.message.id == sent[0]
    with working(app):
        becomes_empty(app, within=20)
    assert [event.id for event in heard.of(events.JobProcessed)] == sent


@pytest.fixture
def stable(tmp_path: Path, url: str) -> Iterator[Stable]:
    stable = Stable(tmp_path, 1.0, url)
    yield stable
    stable.close()


@pytest.mark.parametrize("url", [SQLITE, REDIS], indirect=True)
def test_a_killed_worker_holds_its_group_until_the_first_ran_again(stable: Stable) -> None:
    app = stable.app
    with app:
        lasts.using(group="g").dispatch(0, 0.7)
        for number in (1, 2):
            quick.using(group="g").dispatch(number)
    first = stable.worker("--concurrency", "4")
    eventually(stable.diary.read_text, within=20)
    kill(first)
    for _ in range(2):
        stable.worker("--concurrency", "4")
    stable.becomes_empty()
    runs = stable.runs()
    assert [run.number for run in runs] == [0, 0, 1, 2]
    assert runs[0].end is None
    done = runs[1:]
    assert all(
        before.end is not None and before.end <= after.start for before, after in pairwise(done)
    )


@pytest.mark.parametrize("url", [SQLITE, REDIS], indirect=True)
def test_a_first_that_kills_its_worker_ends_and_lets_the_next_come(stable: Stable) -> None:
    with stable.app:
        poison.using(group="g", max_losses=0).dispatch(0)
        quick.using(group="g").dispatch(1)
    for _ in range(2):
        stable.worker()
    eventually(lambda: stable.ended() == 1, within=30, every=0.05)
    assert [run.number for run in stable.runs()] == [0, 1]
    assert stable.app.failed.count() == 1
