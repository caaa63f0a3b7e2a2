"""Calls the program in this process, in an empty folder and without settings."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from packhorse.cli import main

Call = Callable[..., Result]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`call("queues", "--json")` gives the result; exceptions that the program lets out are raised."""
    monkeypatch.chdir(tmp_path)
    for name in {*os.environ, "PACKHORSE_URL", "PACKHORSE_CONFIG"}:
        if name.startswith("PACKHORSE_"):
            monkeypatch.setenv(name, "")  # so that it is put back, whatever the program sets
            monkeypatch.delenv(name)
    monkeypatch.setenv("PACKHORSE_PROCESSES", "0")
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(logging, "lastResort", logging.lastResort)

    def run(*arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner().invoke(main, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run
