"""The program: its commands, its errors and its exit codes."""

from pathlib import Path

import pytest

from packhorse.cli.program import COMMANDS
from tests.unit.cli.conftest import Call


def test_help_lists_every_command(call: Call) -> None:
    said = call("--help")
    assert said.exit_code == 0
    assert [name for name in COMMANDS if f"\n  {name} " not in said.output] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(call: Call, command: str) -> None:
    assert call(command, "--help").exit_code == 0


def test_its_version(call: Call) -> None:
    assert call("--version").output.startswith("packhorse ")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["queues"], "no connection is configured"),
        (["--url", "nonsense", "queues"], "is no connection URL"),
        (["--url", "nats://u:hunter2@h", "queues"], "the driver 'nats' is not installed"),
        (["--url", "memory://?lik=sqs", "queues"], "did you mean 'like'?"),
        (["--config", "none.toml", "queues"], "none.toml cannot be read"),
        (["--config", "bad.toml", "queues"], "did you mean 'default'?"),
        (["--config", "bad.toml", "--url", "memory://", "queues"], "not both"),
        (["--url", "memory://", "queues", "--connection", "mian"], "did you mean 'main'?"),
        (["--url", "memory://", "work", "--import", "cli_nothing"], "no module 'cli_nothing'"),
        (["--url", "memory://", "work", "--tries", "1", "--backoff", "x"], "is no duration"),
        (["--url", "null://", "work"], "drops every job (null://), so there is nothing to work on"),
        (["--url", "sync://", "work"], "runs each job where it is dispatched (sync://)"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(
    call: Call, arguments: list[str], text: str
) -> None:
    Path("bad.toml").write_text('defalt = "main"\n')
    said = call(*arguments)
    lines = [line for line in said.stderr.splitlines() if "warning: no module" not in line]
    assert said.exit_code == 2
    assert text in lines[-1]
    assert "Traceback" not in said.stderr
    assert "hunter2" not in said.stderr
    if not lines[0].startswith("Usage:"):
        [line] = lines
        assert line.startswith("packhorse: ")


def test_what_a_broker_cannot_do_is_exit_code_1(call: Call) -> None:
    said = call("--url", "memory://?like=sqs", "queue", "jobs", "default")
    assert said.exit_code == 1
    assert said.stderr == (
        "packhorse: connection 'main': the driver of memory:// cannot list messages\n"
    )


def test_debug_shows_the_traceback_and_the_line(call: Call) -> None:
    said = call("--debug", "queues")
    assert said.exit_code == 2
    assert "Traceback" in said.stderr
    assert said.stderr.splitlines()[-1].startswith("packhorse: no connection")


def test_the_settings_may_stand_after_the_command(call: Call) -> None:
    before, after = call("--url", "memory://", "queues"), call("queues", "--url", "memory://")
    assert before.exit_code == after.exit_code == 0
    assert before.output == after.output


def test_where_there_is_nothing_to_remove_nobody_is_asked(call: Call) -> None:
    said = call("--url", "memory://", "failed", "flush")
    assert said.exit_code == 0
    assert "removed 0 failed jobs" in said.output


def test_plugins_are_listed_without_any_settings(call: Call) -> None:
    said = call("plugins")
    assert said.exit_code == 0
    assert "driver memory" in said.output


def test_completion_prints_a_line_to_add(call: Call) -> None:
    assert "_PACKHORSE_COMPLETE=zsh_source" in call("completion", "zsh").output
    assert call("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["packhorse", "qu"], ["queue", "queues"]),
        (["packhorse", "failed", "re"], ["retry"]),
        (["packhorse", "work", "--stop-w"], ["--stop-when-empty", "--stop-when-empty-for"]),
        (["packhorse", "queue", "jobs", "q", "--state", "d"], ["dead", "delayed"]),
    ],
)
def test_a_shell_completes_commands_options_and_choices(
    call: Call, monkeypatch: pytest.MonkeyPatch, words: list[str], completed: list[str]
) -> None:
    monkeypatch.setenv("_PACKHORSE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    offered = [line.partition(",")[2] for line in call().output.splitlines()]
    assert sorted(offered) == completed
