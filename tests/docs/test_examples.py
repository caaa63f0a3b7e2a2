"""Every program in `examples/` runs and says what it should."""

import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

TREE = sorted(ROOT.glob("packages/*/src"))
"""The packages under test, before whatever is installed."""

EXAMPLES = ROOT / "examples"
TEMPLATE = EXAMPLES / "driver_template"

SAID = {
    "hello.py": [
        "Hello, mule",
        "Hello, donkey",
        "4 attempts",
        "hello.greet failed: nobody to greet",
    ],
    "class_jobs.py": [
        "https://one.example/ at attempt 1",
        "https://two.example/ at attempt 3",
        "https://three.example/ at attempt 1",
        "https://never.example/ given up: no answer from https://never.example/",
    ],
    "middleware.py": ["report 2026-01 for acme", "called"],
}


def environment(*path: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PACKHORSE_")}
    env["PYTHONPATH"] = os.pathsep.join(map(str, (*TREE, *path)))
    return env


def run(*arguments: str | Path, cwd: Path, path: tuple[Path, ...] = ()) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=cwd,
        env=environment(*path),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.backend("sqlite")
@pytest.mark.parametrize("name", SAID)
def test_an_example_says_what_it_should(name: str, tmp_path: Path) -> None:
    said = run(EXAMPLES / name, cwd=tmp_path)
    # Not by whole lines: two threads that print at once may share one.
    assert [text for text in SAID[name] if text not in said] == []


def test_every_example_is_tested() -> None:
    assert {file.name for file in EXAMPLES.glob("*.py")} == {*SAID, "web_app.py"}


@pytest.fixture
def web_app(tmp_path: Path) -> Iterator[str]:
    """The address of the web server, run in a folder of its own."""
    for file in EXAMPLES.glob("web_app.*"):
        shutil.copy(file, tmp_path)
    with subprocess.Popen(
        [sys.executable, "web_app.py", "0"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.mark.slow
@pytest.mark.backend("sqlite")
def test_the_web_app_leaves_the_work_to_a_worker(web_app: str, tmp_path: Path) -> None:
    with urllib.request.urlopen(web_app, b"mule", timeout=10) as answer:
        assert answer.status == 202
        job = answer.read().decode()
    assert ask(web_app + job) == "waiting"
    work = ("-m", "packhorse", "work", "--config", "web_app.toml", "--stop-when-empty")
    assert "Hello, mule" in run(*work, cwd=tmp_path)
    assert ask(web_app + job) == "done"


def ask(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


@pytest.mark.slow
def test_the_driver_template_passes_the_suite() -> None:
    told = run("-m", "pytest", "-q", "-c", "pyproject.toml", "-p", "no:cacheprovider", cwd=TEMPLATE)
    assert " passed" in told
    assert "skipped" not in told


def test_the_driver_template_is_found_by_its_entry_point(tmp_path: Path) -> None:
    info = tmp_path / "packhorse_spool-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: packhorse-spool\nVersion: 0.1.0\n")
    project = (TEMPLATE / "pyproject.toml").read_text()
    table = project.split("[project.entry-points.packhorse]\n")[1].split("\n\n")[0]
    (info / "entry_points.txt").write_text(f"[packhorse]\n{table.replace(chr(34), '')}\n")
    (tmp_path / "spooled.py").write_text(PROGRAM)
    said = run(tmp_path / "spooled.py", cwd=tmp_path, path=(TEMPLATE / "src", tmp_path))
    assert said.splitlines() == ["hello mule", "failed spooled.fail", "hello mule"]


PROGRAM = """
from packhorse import Packhorse, job

connection = {"url": "spool://%s/broker" % __import__("os").getcwd(), "store": "memory://"}
app = Packhorse(config={"connections": {"main": connection}})


@job(tries=2)
def greet(name: str) -> None:
    print("hello", name)


@job(tries=2)
def fail() -> None:
    raise ValueError


greet.dispatch("mule")
fail.dispatch()
app.worker(concurrency=1).run(stop_when_empty=True)
for failed in app.failed.list():
    print("failed", failed.job)
greet.dispatch("mule")
app.worker().run(stop_when_empty=True)
"""
