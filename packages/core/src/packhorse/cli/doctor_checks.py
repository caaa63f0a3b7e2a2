"""The checks that `packhorse doctor` makes itself, before those of plugins."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from packhorse.cli.output import counted, one_line, span
from packhorse.cli.setup import Setup
from packhorse.driver import abilities
from packhorse.errors import PackhorseError, StoreRequired
from packhorse.graveyard import buries, graveyard
from packhorse.plugin.specs import CheckResult

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.definition import Definition
    from packhorse.driver.contract import Driver

ABILITIES = {
    "list": abilities.Lists,
    "cancel": abilities.Cancels,
    "clear": abilities.Clears,
    "pause": abilities.Pauses,
    "rescue a dead worker's jobs at once": abilities.Rescues,
}


def everything(setup: Setup) -> Iterator[CheckResult]:
    """All results, each as soon as it is known."""
    try:
        settings = setup.settings(needs_connection=False)
    except PackhorseError as error:
        yield _bad("settings", error)
        return
    if settings.connections:
        yield _good("settings", f"from {settings.source}")
    yield from _plugins(setup)
    app = yield from _app(setup)
    if app is None:
        return
    yield from _jobs()
    yield from _routes(settings.routes)
    for name in app.connections:
        yield from _guarded(f"connection {name}", partial(_connection, app.connection(name)))
    yield from _guarded("plugins", partial(_of_plugins, app))


def _app(setup: Setup) -> "Generator[CheckResult, None, Packhorse | None]":
    """The app, even if a module with jobs cannot be imported; None if there is none to be had."""
    try:
        return setup.app_with_jobs()
    except PackhorseError as error:
        yield _bad("app", error)
    try:
        return setup.app()
    except PackhorseError:  # the same again
        return None


def _plugins(setup: Setup) -> Iterator[CheckResult]:
    for plugin in setup.wiring.plugins:
        name = f"plugin {plugin.name}"
        if plugin.error is None:
            yield _good(name, f"{plugin.distribution} {plugin.version}")
        else:
            advice = f"mend or uninstall {plugin.distribution or plugin.name}, or block it"
            yield CheckResult(name, "error", plugin.error, advice)


def _jobs() -> Iterator[CheckResult]:
    from packhorse.registry import find, names

    if not names():
        yield CheckResult(
            "jobs",
            "warning",
            "none are known: the settings name no module to import",
            'list your modules, as in imports = ["shop.jobs"], or start workers with --import',
        )
        return
    yield _good("jobs", f"{counted(len(names()), 'job')} known")
    for name in names():
        definition = find(name)
        if definition is not None:
            yield from _guarded(f"job {name}", partial(_types, name, definition))


def _routes(routes: Iterable[str]) -> Iterator[CheckResult]:
    from packhorse.registry import find, names
    from packhorse.settings import nearest

    for route in routes:
        start = route.removesuffix("*")
        used = find(route) or (route != start and any(n.startswith(start) for n in names()))
        if names() and not used:
            message = f"[routes] names a job that is not known; {nearest(route, names())}"
            yield CheckResult(f"route {route}", "warning", message, "write a job's name, or mod.*")


def _types(name: str, definition: "Definition") -> Iterator[CheckResult]:
    for missing in definition.check():
        advice = "list the plugin that brings it in plugins, or annotate the argument otherwise"
        yield CheckResult(f"job {name}", "error", f"nothing says how {missing} travels", advice)


def _connection(on: "Connection") -> Iterator[CheckResult]:
    name = f"connection {on.name}"
    driver, started = on.driver, time.perf_counter()
    counts = driver.counts(on.settings.queue, 1_000)
    took = time.perf_counter() - started
    first = time.perf_counter()
    driver.counts(on.settings.queue, 1_000)
    again = time.perf_counter() - first
    yield _good(name, f"{on.url} answers in {span(again)} ({span(took)} at first)")
    yield _good(name, f"queue {on.settings.queue}: {counts.ready} ready")
    yield _good(name, f"can {_able(driver)}")
    yield _good(name, _capabilities(driver))
    for concern in driver.concerns():
        yield CheckResult(name, "warning", concern)
    keeps = isinstance(driver, abilities.KeepsDead)
    try:
        graveyard(on)
        yield _good(name, f"keeps failed jobs {'with the broker' if keeps else 'in its store'}")
    except StoreRequired as error:
        if buries(on) is None:
            yield CheckResult(name, "warning", f"no job may fail here: {error}")
        else:
            message = "failed jobs stay with the broker, unlisted and without what went wrong"
            yield CheckResult(name, "warning", message, str(error))


def _able(driver: "Driver") -> str:
    able: object = driver
    can = [name for name, kind in ABILITIES.items() if isinstance(able, kind)]
    cannot = [name for name, kind in ABILITIES.items() if not isinstance(able, kind)]
    return ", ".join(can or ["only send and hand out"]) + (
        f"; cannot {', '.join(cannot)}" if cannot else ""
    )


def _capabilities(driver: "Driver") -> str:
    facts = msgspec.structs.asdict(driver.capabilities).items()
    return ", ".join(f"{name} {_word(value)}" for name, value in facts)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "any"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_plugins(app: "Packhorse") -> Iterator[CheckResult]:
    for name in app.wiring.checks:
        yield from app.wiring.check(name)(app)


def _guarded(name: str, check: Callable[[], Iterator[CheckResult]]) -> Iterator[CheckResult]:
    """What a check finds; what it raises is a result too."""
    try:
        yield from check()
    except Exception as error:
        yield _bad(name, error)


def _good(name: str, message: str) -> CheckResult:
    return CheckResult(name, "ok", message)


def _bad(name: str, error: Exception) -> CheckResult:
    """A problem in a line; an error of packhorse says itself what to do."""
    text = str(error) if isinstance(error, PackhorseError) else f"{type(error).__name__}: {error}"
    return CheckResult(name, "error", one_line(text))
