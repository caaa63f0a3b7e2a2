"""Runs every test of the suite on one driver after another, without pytest, and says which fail.

Some fifty bad drivers times two hundred tests: a run of pytest for each would take minutes.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping

import pytest

from packhorse.driver.contract import Driver
from packhorse.testing import DriverSuite


def names_of(suite: type) -> Iterator[str]:
    """The names of the tests that a class defines itself."""
    return (name for name in vars(suite) if name.startswith("test_"))


def failing(suite: DriverSuite, subjects: list[type], make: Callable[[], Driver]) -> set[str]:
    """The names of the tests of `subjects` that fail, each on a fresh driver."""
    failed = set()
    for subject in subjects:
        for name in names_of(subject):
            test = getattr(suite, name)
            if not all(_passes(test, make, arguments) for arguments in _cases(test)):
                failed.add(name)
    return failed


def _passes(
    test: Callable[..., None], make: Callable[[], Driver], arguments: Mapping[str, object]
) -> bool:
    driver = make()
    fixtures: dict[str, object] = {"driver": driver}
    wanted = inspect.signature(test).parameters
    for name, worker in (("consumer", "worker-1"), ("other", "worker-2")):
        if name in wanted:
            fixtures[name] = driver.consumer(worker)
    try:
        test(**fixtures, **arguments)
    except (Exception, pytest.fail.Exception):
        return False
    finally:
        driver.close()
    return True


def _cases(test: Callable[..., None]) -> list[dict[str, object]]:
    """The sets of arguments that `pytest.mark.parametrize` asks for."""
    cases: list[dict[str, object]] = [{}]
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args
            sets = [_named(names, value) for value in values]
            cases = [{**case, **each} for case in cases for each in sets]
    return cases


def _named(names: str | tuple[str, ...], value: object) -> dict[str, object]:
    if isinstance(names, str):
        return {names: value}
    assert isinstance(value, tuple)
    return dict(zip(names, value, strict=True))
