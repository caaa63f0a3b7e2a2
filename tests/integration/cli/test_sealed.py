"""What a codec seals stays sealed in every listing, though the program could open it."""

import json
from pathlib import Path

import pytest

from tests.plugins.throwaway import installed
from tests.unit.cli.conftest import Call
from tests.unit.wire.codecs import TOY_PLUGIN

pytestmark = pytest.mark.backend("sqlite")

SECRET = "hunter2"

JOBS = """
from packhorse import JobContext, job


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
