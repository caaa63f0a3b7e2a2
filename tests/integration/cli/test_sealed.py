"""What a codec seals stays sealed in every listing, though the program could open it."""

import json
from pathlib import Path

import pytest

from packhorse import Packhorse
from packhorse.cli.imports import import_jobs
from packhorse.events import Event, JobFailed
from packhorse.testing import Recorder
from tests.integration.cli.conftest import Start
from tests.plugins.throwaway import installed
from tests.unit.cli.conftest import Call
from tests.unit.wire.codecs import TOY_PLUGIN

pytestmark = pytest.mark.backend("sqlite")

SECRET = "hunter2"

JOBS = """
from packhorse import Job, JobContext, job


@job(tags=["hunter2"])
def tells(ctx: JobContext, word: str) -> None:
    if word == "fail":
        ctx.fail("hunter2")
    raise ValueError("hunter2")


@job(tries=2, backoff=600)
def tries_again(ctx: JobContext) -> None:
    ctx.progress(1, 2, "hunter2")
    raise ValueError("hunter2")


@job
def good() -> None: ...


class Tells(Job):
    word: str

    def handle(self, ctx: JobContext) -> None:
        if self.word == "fail":
            ctx.fail("hunter2")
        raise ValueError("hunter2")

    def failed(self, error: BaseException) -> None:
        raise RuntimeError("hunter2")
"""


@pytest.fixture
def sealed(shop: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """The program where every message goes through a codec that seals."""
    installed(tmp_path, monkeypatch, "toy", TOY_PLUGIN)
    Path("cli_shop.py").write_text(JOBS)
    Path("packhorse.toml").write_text(
        'imports = ["cli_shop"]\n[connections.main]\nurl = "sqlite:///jobs.db"\ncodecs = ["toy"]\n'
    )
    return shop


def shown(call: Call, *arguments: str) -> str:
    """What a listing says, for a person and for a program; neither may tell the secret."""
    said = call(*arguments).output + call(*arguments, "--json").output
    assert SECRET not in said
    return said


def test_arguments_and_tags_of_what_waits(sealed: Call) -> None:
    id = sealed("dispatch", "cli_shop.tells", f'{{"word": "{SECRET}"}}').stdout.strip()
    text = shown(sealed, "queue", "jobs", "default")
    assert "sealed" in text
    (one,) = json.loads(sealed("queue", "jobs", "default", "--json").output)
    assert (one["job"], one["sealed"], one["tags"], one["arguments"]) == (
        "cli_shop.tells",
        True,
        [],
        None,
    )
    assert "arguments  sealed" in shown(sealed, "job", "show", id)


@pytest.mark.parametrize("word", ["fail", SECRET])
def test_arguments_and_failures_of_what_failed(sealed: Call, word: str) -> None:
    sealed("dispatch", "cli_shop.tells", f'{{"word": "{word}"}}')
    sealed("work", "--stop-when-empty", "--quiet")
    assert "sealed" in shown(sealed, "failed", "list")
    (one,) = json.loads(sealed("failed", "list", "--json").output)
    assert one["reason"] == "sealed"
    assert [failure["type"] for failure in one["failures"]] == ["sealed"]
    text = shown(sealed, "failed", "show", one["id"])
    assert "arguments  sealed (toy)" in text
    assert "attempt 1" in text
    shown(sealed, "job", "show", one["id"])
    assert "sealed" in shown(sealed, "job", "why", one["id"])


def test_why_it_waits_for_another_attempt(sealed: Call) -> None:
    id = sealed("dispatch", "cli_shop.tries_again").stdout.strip()
    sealed("dispatch", "cli_shop.good")
    sealed("work", "--stop-when-empty", "--quiet")
    assert "it failed at attempt 1; it is tried again at" in shown(sealed, "job", "why", id)


@pytest.mark.parametrize("style", [[], ["--json"]], ids=["for a person", "for a program"])
@pytest.mark.parametrize("word", ["fail", SECRET])
def test_what_a_worker_prints_and_logs(
    sealed: Call, start: Start, word: str, style: list[str]
) -> None:
    sealed("dispatch", "cli_shop.Tells", f'{{"word": "{word}"}}')
    out, err = start("work", "--stop-when-empty", *style).communicate(timeout=30)
    assert SECRET not in out + err
    assert "its failed() raised" in err
    assert "of a job that is sealed" in out


def test_no_event_tells_how_a_sealed_job_failed(sealed: Call) -> None:
    heard = Recorder()
    with Packhorse(config="packhorse.toml") as app:
        import_jobs(app.settings.imports)
        app.on(Event)(heard)
        for word in ("fail", SECRET):
            app.queue().push_raw("cli_shop.Tells", {"word": word})
        app.worker().run(stop_when_empty=True)
    assert len(heard.of(JobFailed)) == 2
    assert SECRET not in repr(heard.events)
