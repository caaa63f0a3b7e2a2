"""`packhorse job …`: looks up or cancels one job, wherever it is."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from packhorse import cancelling
from packhorse.cli.output import complain, json_option, moment, print_json
from packhorse.cli.queue import MOMENTS, arguments_text, facts
from packhorse.cli.setup import Setup
from packhorse.driver.abilities import Lists

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.queue import QueuedJob


@click.group()
def job() -> None:
    """Look up or cancel one job."""


@job.command("show")
@click.argument("id", type=click.UUID)
@json_option
@click.pass_obj
def show(setup: Setup, id: UUID, as_json: bool) -> int:
    """Show where a job stands."""
    found = _find(setup.app(), id)
    if found is None:
        return _gone(id)
    _, one = found
    if as_json:
        print_json(facts(one))
        return 0
    lines = [
        ("job", one.job or "? (the message cannot be read)"),
        ("id", str(one.id)),
        ("queue", f"{one.queue} on {one.connection}"),
        ("state", one.state + (", cancelled" if one.cancelled else "")),
        ("dispatched", moment(one.at)),
        (MOMENTS[one.state], moment(one.moment)),
        ("failures", str(one.failed)),
        ("deliveries", str(one.deliveries)),
        ("worker", one.worker or ""),
        ("tags", ", ".join(one.tags)),
        ("arguments", arguments_text(one)),
    ]
    for name, text in lines:
        if text:
            click.echo(f"{name:<10} {text}")
    if one.state == "dead":
        click.echo(f"\nwhy it failed: packhorse failed show {one.id}")
    return 0


@job.command("cancel")
@click.argument("id", type=click.UUID)
@click.pass_obj
def cancel(setup: Setup, id: UUID) -> int:
    """Cancel a job: one that waits is not run, one that runs is told."""
    found = _find(setup.app(), id)
    if found is None:
        return _gone(id)
    on, one = found
    answer = cancelling.cancel(on, id)
    if answer == "gone":
        complain(f"job {id} cannot be cancelled: it is {one.state}")
        return 1
    click.echo("cancelled" if answer == "marked" else "it runs; its worker tells it soon")
    return 0


def _find(app: "Packhorse", id: UUID) -> "tuple[Connection, QueuedJob] | None":
    """The job and its connection, among those whose brokers can look one up."""
    from packhorse.queue import view

    for name in app.connections:
        on = app.connection(name)
        driver: object = on.driver
        if isinstance(driver, Lists):
            listed = driver.get([id])[0]
            if listed is not None:
                return on, view(listed, on)
    return None


def _gone(id: UUID) -> int:
    complain(f"no connection has a job {id}: it is done, or was never sent")
    return 1
