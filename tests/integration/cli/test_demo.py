"""The demo, as a newcomer runs it: without a terminal, and cut short."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.cli.conftest import Start

pytestmark = pytest.mark.backend("sqlite")


@pytest.mark.slow
def test_it_indexes_the_library_and_its_advice_works(start: Start) -> None:
    program = start("demo", "--keep", "kept")
    out, err = program.communicate(timeout=170)
    assert (program.returncode, err) == (0, "")
    files = int(re.findall(r"^([\d,]+) files with", out, re.MULTILINE)[0].replace(",", ""))
    failed = int(re.findall(r"^(\d+) failed jobs, each after three attempts", out, re.MULTILINE)[0])
    pushed = int(re.findall(r"^pushed ([\d,]+) jobs", out, re.MULTILINE)[0].replace(",", ""))
    assert files + failed == pushed > 1_000
    assert failed >= 2
    assert "SyntaxError" in out
    advice = [line.strip() for line in out.split("try next:\n")[1].splitlines()]
    for command in advice[:-1]:
        arguments = shlex.split(command)
        done = subprocess.run(
            [sys.executable, "-m", "packhorse", *arguments[arguments.index("--url") :]],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
    assert f"{failed} failed" in done.stdout  # the last one worked off what was retried


def test_ctrl_c_ends_the_worker_and_leaves_nothing(start: Start, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    program = subprocess.Popen(
        [sys.executable, "-m", "packhorse", "demo"],
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    eventually(lambda: list(temporary.glob("*/worker.log")), within=60)
    [log] = temporary.glob("*/worker.log")
    eventually(lambda: "jobs known" in log.read_text() or "job known" in log.read_text(), within=60)
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Traceback" not in err
    assert list(temporary.glob("packhorse-demo-*")) == []


def test_it_takes_no_folder_that_is_in_use(start: Start) -> None:
    Path("used").mkdir()
    Path("used", "file").touch()
    program = start("demo", "--keep", "used")
    _, err = program.communicate(timeout=30)
    assert program.returncode == 2
    assert "the folder is not empty" in err


def test_without_its_driver_it_says_what_to_install(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKHORSE_BLOCK", "sql")
    program = start("demo")
    _, err = program.communicate(timeout=30)
    assert program.returncode == 2
    [line] = err.splitlines()
    assert "sqlite" in line
