"""Chains and batches with real workers: threads, time-outs, and processes that are killed."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from packhorse import JobContext, Packhorse, batch, chain, job
from packhorse.flow.sweep import SWEEPER, Sweep
from packhorse.store.contract import Delete, Group
from packhorse.testing import eventually
from tests.integration.conftest import REDIS, SQLITE
from tests.integration.jobs import lasts, quick
from tests.integration.journal import journal
from tests.integration.processes import Stable, kill
from tests.integration.working import becomes_empty, working


@job(name="flows.note")
def note(text: str) -> None:
    journal.note(text)


@job(name="flows.anote")
async def anote(text: str) -> None:
    journal.note(text)


@job(name="flows.sleeps", timeout=0.2)
def sleeps() -> None:
    journal.note("sleeps")
    for _ in range(3_000):
        time.sleep(0.01)  # the time-out strikes between two of these


@job(name="flows.ended")
def ended(ctx: JobContext) -> None:
    assert ctx.batch is not None
    journal.note(f"ended: {ctx.batch.state}")


def test_a_chain_of_both_kinds_of_jobs(app: Packhorse) -> None:
    links = [(note if place % 2 else anote).bind(str(place)) for place in range(40)]
    with working(app):
        handle = chain(*links).dispatch()
        eventually(lambda: handle.state() == "succeeded")
    assert journal.notes == [str(place) for place in range(40)]


def test_a_batch_under_two_workers(app: Packhorse) -> None:
    members = [
        [note.bind(f"{n} a"), anote.bind(f"{n} b")] if n % 3 else note.bind(str(n))
        for n in range(90)
    ]
    with working(app), working(app):
        found = batch(members).then(ended.bind()).finally_(ended.bind()).dispatch()
        eventually(lambda: found.refresh().finished)
        becomes_empty(app)
    assert (found.total, found.done, found.state) == (90, 90, "succeeded")
    assert journal.count("ended: succeeded") == 2
    assert len(journal.notes) == 30 + 2 * 60 + 2


def test_h14_a_member_that_times_out_counts_once_as_failed(app: Packhorse) -> None:
    with working(app):
        found = (
            batch([sleeps.bind(), note.bind("a")])
            .allow_failures()
            .finally_(ended.bind())
            .dispatch()
        )
        eventually(lambda: found.refresh().finished)
        becomes_empty(app)
    assert (found.done, found.failed) == (1, 1)
    assert journal.count("ended: finished with failures") == 1


@pytest.fixture
def stable(tmp_path: Path, url: str) -> Iterator[Stable]:
    stable = Stable(tmp_path, 1.0, url)
    yield stable
    stable.close()


@pytest.mark.slow
@pytest.mark.parametrize("url", [SQLITE, REDIS], indirect=True)
def test_workers_that_are_killed_count_nothing_twice_and_fork_no_chain(stable: Stable) -> None:
    with stable.app:
        # Members that last: a worker must not have done them all before it is killed.
        members = (lasts.bind(n, 0.02) for n in range(600))
        found = batch(members).then(quick.bind(5_000)).dispatch()
        handle = chain(*(quick.bind(10_000 + n) for n in range(100))).dispatch()
        pids: set[int] = set()
        for _ in range(4):
            worker = stable.worker("--concurrency", "4")
            before = stable.ended()
            eventually(lambda before=before: stable.ended() > before + 20, within=20)  # type: ignore[misc]
            time.sleep(random.random() / 20)
            pids.add(worker.pid)
            kill(worker)
        stable.worker("--concurrency", "4")
        eventually(lambda: handle.state() == "succeeded", within=30)
        stable.becomes_empty()
        _mend(stable)
        eventually(lambda: found.refresh().finished, within=20)
        stable.becomes_empty()
    assert (found.total, found.done, found.failed, found.dropped) == (600, 600, 0, 0)
    runs = [run for run in stable.runs() if run.end is not None]
    whole = [run.number for run in runs if run.pid not in pids]
    assert len([run for run in runs if run.number == 5_000]) == 1 or whole.count(5_000) <= 1
    links = [run for run in stable.runs() if 10_000 <= run.number < 10_100]
    firsts = {run.number: run.start for run in reversed(links)}
    assert sorted(firsts, key=lambda number: firsts[number]) == list(range(10_000, 10_100))


def _mend(stable: Stable) -> None:
    """Sweeps now, as a worker would within two minutes."""
    store = stable.app.connection().store
    store.apply([Group([Delete(SWEEPER)])])
    sweep = Sweep(stable.app.batches.tally(stable.app.connection().name), "test")
    sweep.run()
    sweep.run()
