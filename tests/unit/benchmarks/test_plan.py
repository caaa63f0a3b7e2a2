"""Which measurements a run consists of."""

import pytest

from benchmarks.peers import contender, plan
from benchmarks.peers.contender import Contender, Worker, Workload
from benchmarks.peers.plan import FULL, QUICK, WORKLOADS

ONE = Contender(
    requires=("one",),
    reports=(),
    safety="",
    sends=2_500,
    workers=(
        Worker("a", ("drain", "backlog"), "one", 1_234),
        Worker("b", ("drain", "kill"), "one -b", 55),
    ),
)


def test_numbers_of_jobs_follow_from_the_pace() -> None:
    found = [
        (step.worker and step.worker.name, step.jobs) for step in plan.steps(ONE, ["drain"], FULL)
    ]
    assert found == [("a", 5_000), ("b", 200)]


def test_a_given_number_of_jobs_is_that_of_every_run() -> None:
    small = FULL._replace(jobs=300)
    found = list(plan.steps(ONE, ["dispatch", "drain", "backlog"], small))
    assert {step.jobs for step in found} == {300}
    assert [step.workload for step in found] == ["dispatch", "drain", "drain", "backlog"]


def test_what_a_contender_has_no_call_for_is_left_out() -> None:
    assert list(plan.steps(ONE, ["bulk", "raw", "io"], FULL)) == []


def test_a_setting_leaves_out_the_other_workers_and_dispatching() -> None:
    found = list(plan.steps(ONE, list(WORKLOADS), FULL, ["b"]))
    assert [(step.workload, step.worker) for step in found] == [
        ("drain", ONE.workers[1]),
        ("kill", ONE.workers[1]),
    ]


@pytest.mark.parametrize(
    ("fills", "lengths"),
    [(100, [1_000, 10_000]), (2_000, [1_000, 10_000, 100_000]), (60_000, list(FULL.backlogs))],
)
def test_a_backlog_grows_as_far_as_it_can_be_filled(fills: int, lengths: list[int]) -> None:
    """The last one may be cut short by the time for filling; a longer one would be the same."""
    assert list(plan.backlogs(fills, FULL._replace(fill=40))) == lengths


@pytest.mark.parametrize(
    ("workloads", "sizes", "minutes"), [(WORKLOADS, FULL, 40), (plan.SHORT, QUICK, 10)]
)
def test_a_whole_run_takes_no_longer_than_promised(
    workloads: list[Workload], sizes: plan.Sizes, minutes: int
) -> None:
    every = [contender.declared(name) for name in contender.names()]
    seconds = sum(step.seconds for one in every for step in plan.steps(one, workloads, sizes))
    assert seconds <= minutes * 60


@pytest.mark.parametrize("name", contender.names())
def test_every_contender_takes_part_in_all_that_it_can(name: str) -> None:
    one = contender.declared(name)
    found = {step.workload for step in plan.steps(one, list(WORKLOADS), QUICK)}
    if one.workers:
        assert found >= {"dispatch", "drain", "latency", "io", "kill", "backlog"}
    else:
        assert found == {"raw"}
    rows = [(worker.name, workload) for worker in one.workers for workload in worker.workloads]
    assert len(rows) == len(set(rows)), "two workers would write to the same row"
