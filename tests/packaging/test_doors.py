"""Each door names what is public: sorted, there, and with a sentence that says what it is."""

import importlib
import inspect
from types import ModuleType

import pytest

DOORS = [
    "packhorse",
    "packhorse.plugin",
    "packhorse.events",
    "packhorse.middleware",
    "packhorse.testing",
]


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> ModuleType:
    return importlib.import_module(request.param)


def test_its_names_are_sorted(door: ModuleType) -> None:
    """As the linter sorts them: constants, classes, then the rest."""

    def kind(name: str) -> tuple[bool, bool, str]:
        return not name.isupper(), not name[0].isupper(), name

    assert list(door.__all__) == sorted(set(door.__all__), key=kind)


def test_its_names_are_there(door: ModuleType) -> None:
    assert door.__all__
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


def test_its_names_are_documented(door: ModuleType) -> None:
    public = {name: getattr(door, name) for name in door.__all__}
    documented = {n: o for n, o in public.items() if inspect.isclass(o) or inspect.isroutine(o)}
    assert [name for name, thing in documented.items() if not thing.__doc__] == []


def test_what_the_design_promises_is_at_the_door() -> None:
    import packhorse

    promised = {"Job", "JobContext", "JobHandle", "Packhorse", "PackhorseError", "Queue", "job"}
    assert promised <= set(packhorse.__all__)
