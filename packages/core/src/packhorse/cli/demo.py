"""`packhorse demo`: the whole road on real input, in some seconds."""

import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packhorse.cli.demo_views import bar, lines, summary
from packhorse.cli.output import counted, for_a_person, span
from packhorse.cli.setup import Setup
from packhorse.errors import ConfigError

if TYPE_CHECKING:
    from packhorse.demo.files import Source
    from packhorse.demo.stage import Stage

POLL = 0.1
ENOUGH = 1_000
"""Files that make a demo."""


@click.command()
@click.option(
    "--keep",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder for the queue and the results; else a temporary one.",
)
@click.pass_obj
def demo(setup: Setup, keep: Path | None) -> None:
    """Index Python's own library, one job a file, with a real worker and real failures.

    Takes some seconds. The folder stays, so that you can look around with the commands that are
    printed at the end.
    """
    if setup.config or setup.url:
        raise click.UsageError("the demo brings its own queue: leave --config and --url out")
    with _stage(keep) as stage:
        sources = _sources(stage)
        started = time.monotonic()
        stage.dispatch(sources)
        took = time.monotonic() - started
        click.echo(f"pushed {counted(len(sources), 'job')} to {stage.url} in {span(took)}")
        started = time.monotonic()
        stage.start_worker()
        _watch(stage, len(sources))
        took = time.monotonic() - started
        stage.stop_worker()
        summary(stage, took)
        _what_next(stage)


def _sources(stage: "Stage") -> "list[Source]":
    from packhorse.demo import files

    sources = files.library()
    if len(sources) < ENOUGH:
        sources += files.packages()
        click.echo("this Python's library is small, so the packages that are installed are added")
    if not files.has_broken_ones(sources):
        planted = files.plant(stage.folder / "broken")
        sources += planted
        click.echo(
            "this Python came without its tests, whose broken files would fail for real, so the "
            f"demo adds {counted(len(planted), 'broken file')} of its own"
        )
    return sources


def _watch(stage: "Stage", total: int) -> None:
    """Shows the progress until the worker has nothing left, not even what waits for a retry."""
    with (bar if for_a_person() else lines)(total) as show:
        while True:
            progress = stage.progress()
            show(progress)
            if not progress.left:
                return
            time.sleep(POLL)


def _what_next(stage: "Stage") -> None:
    commands = ["queues", "failed list", "failed retry --all"]
    commands += ["work --import packhorse.demo.jobs --stop-when-empty-for 3"]
    failed = stage.app.failed.list(limit=1)
    if failed:
        commands.insert(2, f"failed show {failed[0].id}")
    click.echo("\ntry next:")
    for each in commands:
        click.echo(f"  {stage.command(each)}")
    click.echo(f"and when you are done: rm -r {shlex.quote(str(stage.folder))}")


@contextmanager
def _stage(keep: Path | None) -> "Iterator[Stage]":
    """A stage in its folder; a temporary one is removed if the demo is cut short."""
    from packhorse.demo.stage import Stage

    folder = _folder(keep)
    try:
        with closing(Stage(folder)) as stage:
            yield stage
    except BaseException:
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _folder(keep: Path | None) -> Path:
    if keep is None:
        return Path(tempfile.mkdtemp(prefix="packhorse-demo-"))
    try:
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            raise ConfigError(f"--keep {keep}: the folder is not empty; name a new one")
    except OSError as error:
        raise ConfigError(f"--keep {keep}: the folder cannot be made: {error.strerror}") from error
    return keep.resolve()
