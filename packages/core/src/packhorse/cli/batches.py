"""`packhorse batches …`: looks at batches, watches, retries, cancels and forgets them."""

import time
from typing import TYPE_CHECKING
from uuid import UUID

import click

from packhorse.cli.batch_views import as_table, facts, story, watched
from packhorse.cli.durations import duration
from packhorse.cli.output import complain, counted, json_option, note, print_json
from packhorse.cli.setup import Setup

if TYPE_CHECKING:
    from packhorse.flow.batches import Batch

LOOK = 0.5
"""Seconds between two looks at a batch that is watched."""


@click.group()
def batches() -> None:
    """Look at batches, retry, cancel or forget them."""


@batches.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many."
)
@json_option
@click.pass_obj
def list_(setup: Setup, limit: int, as_json: bool) -> None:
    """List batches, the newest first."""
    found = setup.app().batches.list(limit)
    if as_json:
        print_json([facts(one) for one in found])
    elif not found:
        note("no batches")
    else:
        as_table(found)


@batches.command("show")
@click.argument("id", type=click.UUID)
@click.option("--watch", is_flag=True, help="Show a progress bar until the batch is over.")
@json_option
@click.pass_obj
def show(setup: Setup, id: UUID, watch: bool, as_json: bool) -> int:
    """Show one batch; 1 if members of it failed."""
    found = _find(setup, id)
    if found is None:
        return 1
    if watch and as_json:
        while not found.refresh().finished:
            time.sleep(LOOK)
    elif watch:
        watched(found, LOOK)
    if as_json:
        print_json(facts(found))
    else:
        story(found)
    return 1 if found.failed else 0


@batches.command("retry")
@click.argument("id", type=click.UUID)
@click.pass_obj
def retry(setup: Setup, id: UUID) -> int:
    """Let the failed members of a batch run again."""
    if _find(setup, id) is None:
        return 1
    click.echo(f"{counted(setup.app().batches.retry(id), 'member')} will run again")
    return 0


@batches.command("cancel")
@click.argument("id", type=click.UUID)
@click.pass_obj
def cancel(setup: Setup, id: UUID) -> int:
    """Keep members of a batch that wait from running."""
    found = _find(setup, id)
    if found is None:
        return 1
    if not found.cancel():
        complain(f"batch {id} is {found.refresh().state}, or cancelled already")
        return 1
    click.echo("cancelled; what runs goes on")
    return 0


@batches.command("prune")
@click.option(
    "--older-than",
    type=duration,
    default="1d",
    show_default=True,
    help="How long ago they ended: 30m, 48h, 7d.",
)
@click.option(
    "--unfinished",
    type=duration,
    help="First end those that were dispatched so long ago and still run.",
)
@click.pass_obj
def prune(setup: Setup, older_than: float, unfinished: float | None) -> None:
    """Forget batches that are over, without asking: for a timer."""
    if unfinished is not None:
        ended = setup.app().batches.give_up(unfinished)
        click.echo(f"ended {counted(ended, 'batch', 'batches')}: what was pending is dropped")
    gone = setup.app().batches.prune(older_than)
    click.echo(f"forgot {counted(gone, 'batch', 'batches')}")


def _find(setup: Setup, id: UUID) -> "Batch | None":
    found = setup.app().batches.find(id)
    if found is None:
        complain(f"no store knows a batch {id}: it is forgotten, or never was")
    return found
