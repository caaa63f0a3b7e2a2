"""Chooses the backends that a run tests, and sets what holds for every test.

A test belongs to a backend by `@pytest.mark.backend("NAME")`, or because its file is
`tests/conformance/test_NAME.py`. A test of no backend runs always.
"""

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings

BACKENDS = ("memory", "sqlite", "redis", "beanstalkd")
CONFORMANCE = Path(__file__).parent / "conformance"

# A busy machine is no bug: only hypothesis's own limit on the time of one example is off.
settings.register_profile("packhorse", parent=settings(), deadline=None)
settings.load_profile("packhorse")

# What a shell runs in the background ignores Ctrl-C, and programs that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backends",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        default=BACKENDS,
        metavar="NAMES",
        help=f"the backends to test, with commas between; default: {','.join(BACKENDS)}",
    )


def pytest_configure(config: pytest.Config) -> None:
    for name in config.getoption("--backends"):
        if name not in BACKENDS:
            raise pytest.UsageError(
                f"--backends: there is no backend {name!r}; choose from {', '.join(BACKENDS)}"
            )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = set(config.getoption("--backends"))
    kept: list[pytest.Item] = []
    others: list[pytest.Item] = []
    for item in items:
        (kept if chosen.issuperset(backends_of(item)) else others).append(item)
    if others:
        items[:] = kept
        config.hook.pytest_deselected(items=others)


def backends_of(item: pytest.Item) -> Iterable[str]:
    """The names of the backends that a test needs, all of them."""
    for mark in item.iter_markers("backend"):
        yield from mark.args
    name = item.path.stem.removeprefix("test_")
    if item.path.is_relative_to(CONFORMANCE) and name in BACKENDS:
        yield name
