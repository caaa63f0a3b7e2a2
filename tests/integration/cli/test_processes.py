"""The program as a process: signals, pipes, output and exit codes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.cli.conftest import Start
from tests.unit.cli.conftest import Call

pytestmark = pytest.mark.backend("sqlite")


def test_a_worker_drains_its_queue_and_ends(shop: Call, start: Start) -> None:
    shop("dispatch", "cli_shop.divide", '{"a": 4, "b": 2}')
    shop("dispatch", "cli_shop.divide", '{"a": 1, "b": 0}')
    worker = start("work", "--stop-when-empty")
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, err) == (0, "")
    first, *failures, last = out.splitlines()
    assert "queue default; 8 at once; 3 jobs known" in first
    assert ["retry" in failures[0], "failed" in failures[1], len(failures)] == [True, True, 2]
    assert "ZeroDivisionError" in failures[1]
    assert "nothing is ready: 3 attempts" in last


def test_a_worker_prints_json(shop: Call, start: Start) -> None:
    shop("dispatch", "cli_shop.divide", '{"a": 4, "b": 2}')
    worker = start("work", "--stop-when-empty", "--json")
    out, _ = worker.communicate(timeout=30)
    kinds = [json.loads(line)["event"] for line in out.splitlines()]
    assert kinds == ["WorkerStarting", "JobProcessed", "WorkerStopping"]


def test_a_quiet_worker_prints_only_warnings(shop: Call, start: Start) -> None:
    shop("dispatch", "cli_shop.Clumsy")
    worker = start("work", "--stop-when-empty", "--quiet")
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, out) == (0, "")
    [line] = err.splitlines()
    assert "its failed() raised: RuntimeError: failed() is broken too" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_runs_finish(shop: Call, start: Start, number: int) -> None:
    shop("dispatch", "cli_shop.nap", '{"seconds": 0.5}')
    worker = start("work", "--queues", "slow")
    eventually(lambda: Path("napping-0.5").exists(), within=20)
    worker.send_signal(number)
    out, err = worker.communicate(timeout=30)
    assert (worker.returncode, err) == (0, "")
    assert "a signal said so: 1 attempt" in out.splitlines()[-1]


def test_what_does_not_finish_in_time_is_exit_code_1(shop: Call, start: Start) -> None:
    shop("dispatch", "cli_shop.nap", '{"seconds": 60}')
    worker = start("work", "--queues", "slow", "--grace", "200ms")
    eventually(lambda: Path("napping-60.0").exists(), within=20)
    worker.send_signal(signal.SIGTERM)
    out, err = worker.communicate(timeout=30)
    assert worker.returncode == 1
    assert "1 still running" in out
    assert "still running when grace was over" in err


def test_too_much_memory_is_exit_code_12(start: Start) -> None:
    worker = start("work", "--max-memory", "1")
    out, _ = worker.communicate(timeout=30)
    assert worker.returncode == 12
    assert "it holds more memory than --max-memory" in out


def test_a_worker_whose_reader_is_gone_ends(shop: Call, start: Start) -> None:
    for _ in range(3):
        shop("dispatch", "cli_shop.divide", '{"a": 1, "b": 1}')
    worker = start("work", "--json")
    assert worker.stdout is not None
    worker.stdout.readline()
    worker.stdout.close()
    shop("dispatch", "cli_shop.divide", '{"a": 1, "b": 1}')
    worker.stdout = None
    _, err = worker.communicate(timeout=30)
    assert (worker.returncode, err) == (0, "")


def test_a_listing_whose_reader_is_gone_is_no_traceback(shop: Call, start: Start) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "packhorse", "queues"], stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--url", "sqlite://jobs.db", "work"], "sqlite:///jobs.db"),
        (["--url", "nats://localhost", "work"], "the driver 'nats' is not installed"),
        (["--url", "sqlite:////nowhere/jobs.db", "work"], "there is no folder /nowhere"),
        (["--url", "sqlite:///notes.txt", "work"], "is no SQLite database"),
        (["--config", "wrong.toml", "work"], "there is no setting 'defualt'"),
        (["work", "--import", "cli_broken"], "ZeroDivisionError: division by zero (cli_broken.py"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(
    start: Start, arguments: list[str], text: str
) -> None:
    Path("wrong.toml").write_text('defualt = "main"\n')
    Path("cli_broken.py").write_text("1 / 0\n")
    Path("notes.txt").write_text("remember the milk, and more than sixteen bytes\n" * 100)
    program = start(*arguments)
    out, err = program.communicate(timeout=30)
    assert program.returncode == 2, err
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith("packhorse: ")
    assert text in line


def test_an_unwritable_file_is_one_line_and_exit_code_2(start: Start) -> None:
    """Root may write anywhere, but not below a file."""
    Path("file").touch()
    program = start("--url", "sqlite:///file/jobs.db", "work")
    out, err = program.communicate(timeout=30)
    assert (program.returncode, out, len(err.splitlines())) == (2, "", 1)


def test_ctrl_c_is_quiet(start: Start) -> None:
    """The question waits for an answer that does not come."""
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    program.stdout.readline()
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=30)
    assert program.returncode == 130
    assert "Traceback" not in err


PROGRAM = """
import time
import packhorse.cli.queues

def look(*given):
    print("looking", flush=True)
    time.sleep(60)

packhorse.cli.queues.look = look
from packhorse.cli import main
main(["--url", "memory://", "queues"])
"""
