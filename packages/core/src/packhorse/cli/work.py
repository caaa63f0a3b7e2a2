"""`packhorse work`: workers under a supervisor, or one in this process."""

import logging
import os
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, NoReturn, TypedDict, Unpack

import click

from packhorse.cli.durations import duration
from packhorse.cli.output import for_a_person
from packhorse.cli.setup import Setup
from packhorse.errors import ConnectionLost
from packhorse.last_resort import Manner, install

if TYPE_CHECKING:
    from packhorse.cli.voice import Style
    from packhorse.options import OptionSet
    from packhorse.worker.health import Look
    from packhorse.worker.supervised import Supervised
    from packhorse.worker.worker import Report, Worker

_log = logging.getLogger("packhorse.worker")

WHOLE = click.IntRange(min=1)


class Flags(TypedDict):
    """The options of the command."""

    connection: str | None
    queues: str | None
    concurrency: int
    modules: tuple[str, ...]
    tries: int | None
    timeout: float | None
    backoff: str | None
    sleep: float
    rest: float
    max_jobs: int | None
    max_time: float | None
    max_memory: int | None
    once: bool
    stop_when_empty: bool
    stop_when_empty_for: float | None
    grace: float
    name: str | None
    as_json: bool
    quiet: bool
    processes: int
    recycle_jobs: int | None
    recycle_time: float | None
    recycle_memory: int | None
    supervised: str | None
    health_file: str | None
    health_port: int | None


@click.command()
@click.option("--connection", metavar="NAME", help="The connection; else the default one.")
@click.option(
    "--queues",
    "--queue",
    metavar="A,B",
    help="Queues, the most preferred first; else the connection's own.",
)
@click.option(
    "--concurrency", type=WHOLE, default=8, show_default=True, help="Jobs at once, of each kind."
)
@click.option(
    "--processes",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    envvar="PACKHORSE_PROCESSES",
    help="Processes under one supervisor; 0: this process alone, for a debugger.",
)
@click.option("--import", "modules", multiple=True, metavar="MODULE", help="A module with jobs.")
@click.option("--tries", type=click.IntRange(min=0), help="For jobs that say none; 0: no limit.")
@click.option("--timeout", type=duration, help="For jobs that say none; 0: none.")
@click.option("--backoff", metavar="S[,S…]", help="Seconds, for jobs that say none: 5, or 1,5,30.")
@click.option(
    "--sleep", type=duration, default="20", show_default=True, help="The longest wait for a job."
)
@click.option(
    "--rest", type=duration, default="0", show_default=True, help="A pause after each job."
)
@click.option("--max-jobs", type=WHOLE, metavar="N", help="Stop after so many jobs.")
@click.option("--max-time", type=duration, help="Stop after so long.")
@click.option("--max-memory", type=WHOLE, metavar="MB", help="Stop, with exit code 12, above it.")
@click.option("--recycle-jobs", type=WHOLE, metavar="N", help="A fresh process after so many jobs.")
@click.option("--recycle-time", type=duration, help="A fresh process after so long.")
@click.option("--recycle-memory", type=WHOLE, metavar="MB", help="A fresh process above it.")
@click.option("--once", is_flag=True, help="Run one job, if there is one, and stop.")
@click.option("--stop-when-empty", is_flag=True, help="Stop when nothing is ready.")
@click.option("--stop-when-empty-for", type=duration, help="Stop when nothing came for so long.")
@click.option(
    "--grace",
    type=duration,
    default="30",
    show_default=True,
    help="How long running jobs may go on after the end was asked for.",
)
@click.option("--name", metavar="NAME", help="The worker's name, for people.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, for programs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but warnings.")
@click.option("--health-file", metavar="PATH", help="Touched while the broker answers.")
@click.option(
    "--health-port",
    type=click.IntRange(1, 65535),
    metavar="N",
    help="Answers 200 while the broker does, else 503.",
)
@click.option("--supervised", hidden=True, metavar="LINK", help="For a supervisor's own use.")
@click.pass_obj
def work(setup: Setup, /, **flags: Unpack[Flags]) -> int:
    """Run jobs until told to stop.

    SIGTERM and Ctrl-C stop it: it takes no more jobs, lets those that run finish within --grace and
    gives back the rest; a second one ends the waiting. On a terminal each job is a line; elsewhere
    only what fails is, unless --json asks for all.

    A supervisor starts the processes that run jobs. One that dies is replaced, and what it held is
    given back at once; one that a job keeps from ending, long after that job's time-out, is killed.
    """
    install(Manner(json=flags["as_json"]))
    if flags["processes"] and flags["supervised"] is None:
        return _supervise(setup, flags)
    return _work(setup, flags)


def _supervise(setup: Setup, flags: Flags) -> int:
    """Processes of this very command under a supervisor."""
    import socket

    from packhorse.worker.plan import PREFETCH_LIMIT
    from packhorse.worker.supervisor import Supervisor

    supervisor = Supervisor(
        [sys.executable, "-m", "packhorse", *setup.args],
        name=flags["name"] or f"{socket.gethostname()}-{os.getpid()}",
        processes=1 if flags["once"] else flags["processes"],
        lines=3 * flags["concurrency"] + PREFETCH_LIMIT,
        grace=flags["grace"],
    )
    with _health(flags, supervisor.health):
        return supervisor.run()


def _health(flags: Flags, look: "Look") -> AbstractContextManager[object]:
    """What answers whoever watches this process, if it was asked for."""
    file, port = flags["health_file"], flags["health_port"]
    if file is None and port is None:
        return nullcontext()
    from packhorse.worker.health import Health

    return Health(look, file, port)


def _work(setup: Setup, flags: Flags) -> int:
    """A worker in this process."""
    from packhorse.cli import titles
    from packhorse.cli.voice import Voice
    from packhorse.registry import names
    from packhorse.worker.collector import collect_seldom
    from packhorse.worker.parts import OWN_JOBS
    from packhorse.worker.plan import Recycling
    from packhorse.worker.supervised import Link, Supervised

    overrides = _overrides(flags)
    collect_seldom()  # before the user's modules are imported, which may say otherwise
    link = flags["supervised"]
    supervised = None if link is None else Supervised(Link.from_text(link))
    app = setup.app_with_jobs(flags["modules"])
    worker = _worker(setup, flags, overrides, supervised)
    style = _style(flags)
    install(Manner(json=flags["as_json"], jobs=style in ("lines", "json")))
    voice = Voice(worker, style)
    voice.listen(app.bus)
    titles.listen(app.bus)
    voice.started(app.connection(flags["connection"]), len(names()) - len(OWN_JOBS))
    started = time.monotonic()

    def leave(report: "Report") -> NoReturn:
        voice.stopped(report, time.monotonic() - started)
        _farewell(supervised, report)
        _leave(report)

    with nullcontext() if supervised else _health(flags, lambda: [worker.health()]):
        report = worker.run(
            stop_when_empty=flags["stop_when_empty"] or flags["once"],
            stop_when_empty_for=flags["stop_when_empty_for"],
            max_jobs=1 if flags["once"] else flags["max_jobs"],
            max_time=flags["max_time"],
            max_memory=_bytes(flags["max_memory"]),
            recycling=Recycling(
                flags["recycle_jobs"], flags["recycle_time"], _bytes(flags["recycle_memory"])
            ),
            leave=leave,
        )
    voice.stopped(report, time.monotonic() - started)
    _farewell(supervised, report)
    return report.exit_code


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 1024 * 1024


def _farewell(supervised: "Supervised | None", report: "Report") -> None:
    if supervised is not None:
        supervised.leave(report.reason)


def _worker(
    setup: Setup, flags: Flags, overrides: "OptionSet", supervised: "Supervised | None"
) -> "Worker":
    """The worker, once its broker has answered or is known to be away."""
    from packhorse.worker.worker import Worker

    app = setup.app()
    on = app.connection(flags["connection"])
    named = [name.strip() for name in (flags["queues"] or on.settings.queue).split(",")]
    worker = Worker(
        app,
        on,
        [name for name in named if name],
        concurrency=flags["concurrency"],
        name=flags["name"],
        flags=overrides,
        sleep=flags["sleep"],
        rest=flags["rest"],
        grace=flags["grace"],
        supervised=supervised,
        imports=[*flags["modules"], *app.settings.imports],
    )
    try:
        on.driver.counts(worker.queues[0], 1)
    except ConnectionLost as error:  # brokers come back; a wrong setting does not and is raised
        _log.warning("%s; the worker goes on trying", error)
    return worker


def _overrides(flags: Flags) -> "OptionSet":
    """What `--tries`, `--timeout` and `--backoff` say for jobs that say nothing."""
    from packhorse.options import NOTHING, Options, check

    said: Options = {}
    if flags["tries"] is not None:
        said["tries"] = flags["tries"]
    if flags["timeout"] is not None:
        said["timeout"] = flags["timeout"]
    if flags["backoff"] is not None:
        said["backoff"] = _delays(flags["backoff"])
    return check("packhorse work", said) if said else NOTHING


def _delays(text: str) -> list[float]:
    return [duration(part) for part in text.split(",")]


def _style(flags: Flags) -> "Style":
    if flags["quiet"]:
        return "silent"
    if flags["as_json"]:
        return "json"
    return "lines" if for_a_person() else "failures"


def _leave(report: "Report") -> NoReturn:
    """Ends the process at once: what still runs cannot be stopped, and must not run without a lease."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(report.exit_code)
