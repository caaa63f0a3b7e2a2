"""The program `packhorse`: its commands, imported when they are called, and what becomes of errors."""

import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from packhorse.cli.output import complain
from packhorse.cli.setup import Setup, settings_options
from packhorse.errors import (
    ConfigError,
    JobDefinitionError,
    PackhorseError,
    PluginError,
    StoreRequired,
)

COMMANDS = {
    "work": "Run jobs until told to stop.",
    "dispatch": "Push a job by its name.",
    "queues": "Show all queues.",
    "queue": "Look into one queue, clear, pause or resume it.",
    "job": "Look up or cancel one job.",
    "batches": "Look at batches, retry, cancel or forget them.",
    "failed": "Look at failed jobs, retry or remove them.",
    "workers": "Show the workers that live.",
    "monitor": "Measure queues against limits.",
    "restart": "Let all workers make room for new ones.",
    "plugins": "List what is installed.",
    "doctor": "Check settings, connections and plugins.",
    "migrate": "Bring the brokers' own tables up to date.",
    "completion": "Show how a shell completes commands.",
    "demo": "Index Python's own library, one job a file.",
}
"""Each command of the core and its line in `--help`; each is in a module of its name."""

USAGE = 2
USAGE_ERRORS = (ConfigError, PluginError, JobDefinitionError, StoreRequired)
INTERRUPTED = 130


class Program(click.Group):
    """A group whose commands are imported late, with those of active plugins beside its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_plugged(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if cmd_name not in _plugged(ctx):
                return None
            return ctx.ensure_object(Setup).wiring.command(cmd_name)
        module = import_module(f"packhorse.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        _accept_settings(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, rows in (("Commands", COMMANDS), ("Commands of plugins", _plugged(ctx))):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(list(rows.items()))

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Runs the program and ends the process: 0, 1, 2, 12 or 130, as docs/cli.md says."""
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())
        setup = Setup()
        setup.args = sys.argv[1:] if args is None else args
        try:
            sys.exit(self._main(setup, args, prog_name, extra))
        finally:
            setup.close()

    def _main(
        self,
        setup: Setup,
        args: Sequence[str] | None,
        prog_name: str | None,
        extra: dict[str, Any],
    ) -> int:
        try:
            told = super().main(args, prog_name, **extra | {"standalone_mode": False, "obj": setup})
        except click.ClickException as error:
            error.show()
            return error.exit_code
        except click.Abort as error:
            if not isinstance(error.__context__, EOFError):
                return INTERRUPTED
            complain("the question was not answered and nothing was done; --yes answers it")
            return 1
        except PackhorseError as error:
            if setup.debug:
                traceback.print_exc()
            complain(str(error))
            return USAGE if isinstance(error, USAGE_ERRORS) else 1
        return told if isinstance(told, int) else 0


@click.group(
    cls=Program,
    name="packhorse",
    params=settings_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="packhorse", message="%(prog)s %(version)s")
def main() -> None:
    """Packhorse: a job queue whose every part is a plugin.

    --config, --url and --debug may also stand after the command.
    """
    from packhorse.last_resort import Manner, install

    install(Manner())


def _plugged(ctx: click.Context) -> dict[str, str]:
    """The commands of active plugins and their summaries; none where the settings are wrong."""
    try:
        commands = ctx.ensure_object(Setup).wiring.commands
    except PackhorseError:
        return {}
    return {name: spec.summary for name, spec in commands.items() if name not in COMMANDS}


def _accept_settings(command: click.Command) -> None:
    """Lets the options of the program stand after a command too."""
    if isinstance(command, click.Group):
        for one in command.commands.values():
            _accept_settings(one)
    elif not any(one.name == "debug" for one in command.params):
        command.params += settings_options(hidden=True)
