"""What jobs report is what the harness reads, and a killed worker leaves no process."""

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.peers import processes
from benchmarks.peers.marks import marks
from packhorse.testing import eventually

JOBS = """
from benchmarks.peers import jobs
for number in (0, 2, 2):
    jobs.noop(number)
jobs.slow(3)
jobs._note("start", 4)
"""


def test_lost_repeated_and_unfinished_jobs_show_apart() -> None:
    with marks(5) as reports:
        variables = {**os.environ, "PEERS_MARKS": str(reports.path)}
        subprocess.run([sys.executable, "-c", JOBS], env=variables, check=True)
        assert list(reports.runs()) == [1, 0, 2, 1, 0]
        assert (reports.done(), reports.twice(), reports.underway()) == (3, 1, {4})
        assert len(reports.values()) == 3
        assert len(reports.values(3)) == 1
        assert [(note.what, note.number) for note in reports.log()] == [
            ("start", 3),
            ("end", 3),
            ("start", 4),
        ]


def test_killing_a_worker_ends_also_what_left_its_tree(tmp_path: Path) -> None:
    variables = dict(os.environ)
    running = processes.Running("sh -c '(sleep 60 &); sleep 60'", variables, 2, tmp_path)
    try:
        assert eventually(lambda: len(processes.tree(running.pids)) == 6, within=5)
        assert processes.memory(running.pids) > 0
    finally:
        running.kill()
    assert processes.tree(running.pids) == {}
