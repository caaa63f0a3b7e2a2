"""What a supervisor decides about processes that end, and about those that should."""

import signal

import pytest

from packhorse.ids import new_id
from packhorse.worker.board import NEVER, Running
from packhorse.worker.supervision import (
    BEAT_PATIENCE,
    MARGIN,
    SETTLED_DOWN,
    Ended,
    Next,
    after_end,
    exit_code,
    in_a_row,
    pause,
    to_blame,
    why_kill,
)

ENDS: dict[str, tuple[Ended, Next]] = {
    "it was killed": (Ended(-signal.SIGKILL, None, 5.0), "replace later"),
    "it crashed": (Ended(-signal.SIGSEGV, None, 5.0), "replace later"),
    "it left without a word": (Ended(0, None, 5.0), "replace later"),
    "an exception": (Ended(1, None, 5.0), "replace later"),
    "it is old": (Ended(0, "recycled", 5.0), "replace"),
    "a job could not be stopped": (Ended(1, "stuck", 5.0), "replace"),
    "nothing is left to do": (Ended(0, "empty", 5.0), "leave"),
    "its memory is used up": (Ended(12, "memory", 5.0), "leave"),
    "somebody else told it": (Ended(0, "interrupted", 5.0), "replace"),
    "its settings are wrong": (Ended(2, None, 0.2), "give up"),
}


@pytest.mark.parametrize(("ended", "follows"), ENDS.values(), ids=ENDS.keys())
def test_what_follows_from_an_end(ended: Ended, follows: Next) -> None:
    assert after_end(ended) == follows


def test_a_process_is_replaced_at_once_and_then_more_and_more_slowly() -> None:
    assert [pause(crashes) for crashes in range(1, 10)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_what_has_run_for_a_while_did_not_die_of_its_start() -> None:
    assert in_a_row(0, age=0.1) == 1
    assert in_a_row(3, age=SETTLED_DOWN - 0.1) == 4
    assert in_a_row(3, age=SETTLED_DOWN) == 1


def test_a_job_past_its_last_moment_has_its_process_killed() -> None:
    job = Running(new_id(), since=10.0, kill_at=50.0)
    late = 50.0 + MARGIN
    assert why_kill([job], last_beat=late, now=late - 0.1) is None
    assert str(job.id) in (why_kill([job], last_beat=late, now=late) or "")


def test_a_line_that_is_being_written_has_nobody_killed() -> None:
    assert why_kill([Running(new_id(), since=10.0, kill_at=0.0)], last_beat=99.0, now=100.0) is None


def test_a_process_that_gives_no_sign_of_life_while_it_runs_jobs_is_killed() -> None:
    job = Running(new_id(), since=10.0, kill_at=NEVER)
    assert why_kill([job], last_beat=20.0, now=20.0 + BEAT_PATIENCE - 0.1) is None
    assert "no sign of life" in (why_kill([job], 20.0, 20.0 + BEAT_PATIENCE) or "")
    assert why_kill([job], last_beat=0.0, now=1e6) is None  # it is only starting
    assert why_kill([], last_beat=20.0, now=1e6) is None  # it sleeps


def test_the_worst_exit_code_counts() -> None:
    assert exit_code([]) == 0
    assert exit_code([0, 0]) == 0
    assert exit_code([0, 12, 1]) == 12
    assert exit_code([0, -9]) == 1


def test_what_runs_alone_is_blamed_only_where_nothing_else_ran() -> None:
    beside, alone, another = (
        Running(new_id(), 1.0, 9.0),
        Running(new_id(), 1.0, 9.0, alone=True),
        Running(new_id(), 2.0, 9.0, alone=True),
    )
    assert to_blame([alone, beside, another]) == [beside.id]
    assert to_blame([alone, another]) == [alone.id, another.id]
    assert to_blame([]) == []
