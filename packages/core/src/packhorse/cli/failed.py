"""`packhorse failed …`: looks at failed jobs, retries and removes them."""

from typing import TYPE_CHECKING
from uuid import UUID

import click

from packhorse.cli.choices import sure, yes_option
from packhorse.cli.durations import duration
from packhorse.cli.failed_views import as_table, facts, story
from packhorse.cli.output import complain, counted, json_option, note, print_json
from packhorse.cli.setup import Setup

if TYPE_CHECKING:
    from packhorse.failed import FailedJobs

queue_option = click.option("--queue", metavar="NAME", help="Only those of this queue.")


@click.group()
def failed() -> None:
    """Look at failed jobs, retry or remove them."""


@failed.command("list")
@queue_option
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many."
)
@click.option("--after", type=click.UUID, help="The id that the page before ended with.")
@json_option
@click.pass_obj
def list_(setup: Setup, queue: str | None, limit: int, after: UUID | None, as_json: bool) -> None:
    """List failed jobs, the newest first."""
    found = setup.app().failed.list(limit, after, queue)
    if as_json:
        print_json([facts(one) for one in found])
    elif not found:
        note("no failed jobs")
    else:
        as_table(found)
        if len(found) == limit:
            note(f"there may be more: --after {found[-1].id}")


@failed.command("show")
@click.argument("id", type=click.UUID)
@json_option
@click.pass_obj
def show(setup: Setup, id: UUID, as_json: bool) -> int:
    """Show one failed job: its arguments, and every failure with its traceback."""
    app = setup.app()
    one = app.failed.get(id)
    if one is None:
        return _none_of([id])
    if as_json:
        print_json(facts(one))
    else:
        story(one, app.formats.known_codecs())
    return 0


@failed.command("retry")
@click.argument("ids", metavar="[ID]…", type=click.UUID, nargs=-1)
@click.option("--all", "every", is_flag=True, help="All failed jobs.")
@queue_option
@click.pass_obj
def retry(setup: Setup, ids: tuple[UUID, ...], every: bool, queue: str | None) -> int:
    """Let failed jobs run again, with fresh counters and their old ids."""
    if every == bool(ids):
        raise click.UsageError("give the ids of failed jobs, or --all")
    if queue and ids:
        raise click.UsageError("--queue goes with --all")
    jobs = setup.app().failed
    if every:
        click.echo(f"{counted(jobs.retry('all', queue), 'job')} will run again")
        return 0
    missing = [id for id in ids if jobs.get(id) is None]
    count = jobs.retry([id for id in ids if id not in missing])
    click.echo(f"{counted(count, 'job')} will run again")
    if count < len(ids) - len(missing):
        complain("some were not revived: others hold their unique keys, or somebody was faster")
        return _none_of(missing) or 1
    return _none_of(missing)


@failed.command("forget")
@click.argument("ids", metavar="ID…", type=click.UUID, nargs=-1, required=True)
@click.pass_obj
def forget(setup: Setup, ids: tuple[UUID, ...]) -> int:
    """Remove failed jobs."""
    jobs = setup.app().failed
    missing = [id for id in ids if not jobs.forget(id)]
    click.echo(f"removed {counted(len(ids) - len(missing), 'failed job')}")
    return _none_of(missing)


@failed.command("flush")
@click.option("--older-than", type=duration, help="Only those that failed so long ago: 30m, 7d.")
@yes_option
@click.pass_obj
def flush(setup: Setup, older_than: float | None, yes: bool) -> int:
    """Remove all failed jobs."""
    jobs = setup.app().failed
    size = jobs.count() if older_than is None else 0
    if size and not sure(f"Remove all {counted(size, 'failed job')}?", yes):
        note("nothing was removed")
        return 1
    return _removed(jobs, older_than)


@failed.command("prune")
@click.option(
    "--older-than",
    type=duration,
    default="7d",
    show_default=True,
    help="How long ago they failed: 30m, 48h, 7d.",
)
@click.pass_obj
def prune(setup: Setup, older_than: float) -> int:
    """Remove old failed jobs, without asking: for a timer."""
    return _removed(setup.app().failed, older_than)


@failed.command("count")
@queue_option
@click.pass_obj
def count(setup: Setup, queue: str | None) -> None:
    """Print how many failed jobs there are."""
    click.echo(setup.app().failed.count(queue))


def _removed(jobs: "FailedJobs", older_than: float | None) -> int:
    click.echo(f"removed {counted(jobs.flush(older_than), 'failed job')}")
    return 0


def _none_of(ids: "list[UUID]") -> int:
    """The exit code, after saying which ids are no failed jobs."""
    if ids:
        complain(f"no failed job has the id {', '.join(map(str, ids))}")
    return 1 if ids else 0
