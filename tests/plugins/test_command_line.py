"""What plugins bring to the command line: commands, checks, and their troubles."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugins.throwaway import installed

PLUGIN = """
from packhorse.plugin import CheckResult, CheckSpec, CommandSpec, hookimpl


@hookimpl
def packhorse_commands():
    return [CommandSpec("stats", "packhorse_demo_stats:stats", summary="Show the rates.")]


@hookimpl
def packhorse_checks():
    return [CheckSpec("tyres", "packhorse_demo_stats:check")]
"""

THINGS = """
import click
from packhorse.plugin import CheckResult


@click.command()
@click.pass_obj
def stats(setup):
    click.echo(f"rates of {setup.app().connection().url}")


def check(app):
    return [CheckResult("tyres", "error", "the left one is flat", "pump it up")]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed plugin, and the settings that list it."""
    (tmp_path / "packhorse_demo_stats.py").write_text(THINGS)
    installed(tmp_path, monkeypatch, "demo", PLUGIN)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PACKHORSE_")]:
        monkeypatch.delenv(name)
    (tmp_path / "packhorse.toml").write_text(
        'plugins = ["demo"]\n[connections.main]\nurl = "memory://"\n'
    )
    return tmp_path


def packhorse(*arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "packhorse", *arguments],
        env=os.environ | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.usefixtures("folder")
def test_the_command_of_an_active_plugin_runs_with_the_programs_settings() -> None:
    assert "stats  Show the rates." in packhorse("--help").stdout
    assert packhorse("stats").stdout == "rates of memory://\n"
    assert packhorse("--url", "null://", "stats").returncode == 2  # nothing lists the plugin now


def test_the_command_of_a_plugin_that_is_not_listed_is_unknown(folder: Path) -> None:
    (folder / "packhorse.toml").write_text('[connections.main]\nurl = "memory://"\n')
    assert "stats" not in packhorse("--help").stdout
    assert packhorse("stats").returncode == 2


@pytest.mark.usefixtures("folder")
def test_the_doctor_asks_the_checks_of_plugins() -> None:
    said = packhorse("doctor")
    assert said.returncode == 1
    assert "error   tyres: the left one is flat\n        to do: pump it up\n" in said.stdout


def test_a_broken_plugin_is_named_and_stops_nobody(folder: Path) -> None:
    (folder / "packhorse_demo_plugin.py").write_text("import no_such_client\n")
    (folder / "packhorse.toml").write_text('[connections.main]\nurl = "memory://"\n')
    listed = packhorse("plugins")
    assert listed.returncode == 1
    assert "BROKEN: it cannot be imported: ModuleNotFoundError" in listed.stdout
    assert packhorse("queues").returncode == 0
    assert packhorse("doctor").returncode == 1


@pytest.mark.usefixtures("folder")
def test_a_shell_completes_commands_those_of_plugins_too() -> None:
    said = packhorse(
        _PACKHORSE_COMPLETE="bash_complete", COMP_WORDS="packhorse ", COMP_CWORD="1"
    ).stdout
    assert {"plain,failed", "plain,stats"} <= set(said.split())
