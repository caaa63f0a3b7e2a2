"""`packhorse doctor`: checks settings, jobs, connections and plugins, and says what to do."""

from typing import Literal

import click
import msgspec

from packhorse.cli.doctor_checks import everything
from packhorse.cli.output import counted, in_colour, json_option, print_json
from packhorse.cli.setup import Setup
from packhorse.plugin.specs import CheckResult

COLOURS: dict[Literal["ok", "warning", "error"], str] = {
    "ok": "green",
    "warning": "yellow",
    "error": "red",
}


@click.command()
@json_option
@click.pass_obj
def doctor(setup: Setup, as_json: bool) -> int:
    """Check settings, connections and plugins; 1 if something is wrong."""
    results = []
    for result in everything(setup):
        results.append(result)
        if not as_json:
            _show(result)
    wrong = sum(result.state == "error" for result in results)
    if as_json:
        print_json([msgspec.structs.asdict(result) for result in results])
    else:
        click.echo(f"\n{counted(wrong, 'problem')}" if wrong else "\nall is well")
    return 1 if wrong else 0


def _show(result: CheckResult) -> None:
    state = f"{result.state:<8}"
    if in_colour():
        state = click.style(state, fg=COLOURS[result.state])
    click.echo(f"{state}{result.name}: {result.message}")
    if result.advice:
        click.echo(f"        to do: {result.advice}")
