"""Plugins that are really installed: found, imported, blocked, broken, and not even looked for."""

import subprocess
import sys
from pathlib import Path

import pytest

from packhorse.plugin.discovery import Plugin, discover
from packhorse.plugin.manager import Manager
from packhorse.plugin.wiring import Wiring, wire
from packhorse.settings import Settings, load
from packhorse.testing import PluginSuite
from tests.plugins.throwaway import installed

GOOD = """
from packhorse.plugin import DriverSpec, MiddlewareSpec, StoreSpec, hookimpl

@hookimpl
def packhorse_drivers():
    return [DriverSpec("good", "packhorse.driver.null:NullDriver")]

@hookimpl
def packhorse_stores():
    return [StoreSpec("good", "packhorse.store.memory:MemoryStore")]

@hookimpl
def packhorse_middleware():
    return [MiddlewareSpec("outer", "tests.plugins.things:outer")]
"""


@pytest.fixture
def good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    installed(tmp_path, monkeypatch, "good", GOOD, version="2.5")
    return "good"


def found(name: str) -> list[Plugin]:
    return [plugin for plugin in discover() if plugin.name == name]


def test_an_installed_plugin_is_found(good: str) -> None:
    (plugin,) = found(good)
    assert (plugin.distribution, plugin.version) == ("packhorse-good", "2.5")
    assert plugin.error is None
    assert plugin.title == "'good' (packhorse-good 2.5)"
    wiring = wire(load("good://", environ={}, plugins=["good"]))
    assert wiring.driver("good").__name__ == "NullDriver"
    assert len(wiring.middleware) == 1


def test_plugins_are_sorted_by_name(good: str) -> None:
    names = [plugin.name for plugin in discover()]
    assert names == sorted(names)


def test_a_blocked_plugin_is_not_even_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(tmp_path, monkeypatch, "slow", "raise SystemExit('imported')")
    assert "slow" not in [plugin.name for plugin in discover(["slow"])]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_client", "ModuleNotFoundError: No module named 'no_such_client'"),
        ("def (", "SyntaxError"),
        ("raise SystemExit('over')", "SystemExit: over"),
    ],
)
def test_a_plugin_that_cannot_be_imported_is_a_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: str, source: str, error: str
) -> None:
    installed(tmp_path, monkeypatch, "bad", source, distribution=f"bad-{len(source)}")
    (bad,) = found("bad")
    assert bad.module is None
    assert bad.error is not None
    assert error in bad.error
    assert bad.cause is not None
    assert [plugin.error for plugin in found(good)] == [None]


def test_two_distributions_with_one_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: str
) -> None:
    installed(tmp_path, monkeypatch, "good", GOOD, distribution="better")
    errors = [plugin.error or "" for plugin in found(good)]
    assert sorted(error.split()[0] for error in errors) == ["better", "packhorse-good"]


def test_the_name_of_the_core_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed(tmp_path, monkeypatch, "core", GOOD, distribution="pretender")
    (record,) = found("core")
    assert record.error == "its entry point must not be called 'core'"


def test_the_core_is_listed_with_its_version() -> None:
    core = Wiring(Settings()).plugins[0]
    assert core.distribution == "packhorse"
    assert core.version
    assert "driver memory" in core.offers


def modules_after(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_core_alone_looks_for_no_plugins() -> None:
    modules = modules_after(
        "from packhorse.settings import load\n"
        "from packhorse.plugin.wiring import wire\n"
        "wiring = wire(load('memory://', environ={}))\n"
        "wiring.driver('memory'), wiring.store('memory'), wiring.serializer('json')\n"
        "wiring.middleware, wiring.listeners, wiring.store('sync')"
    )
    assert "packhorse.driver.memory" in modules
    assert {
        "importlib.metadata",
        "tomllib",
        "asyncio",
        "click",
        "rich",
    } & modules == set()


def test_after_wiring_no_hook_is_called(good: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wiring = wire(load("good://", environ={}, plugins=["good"]))

    def refuse(*args: object) -> None:
        raise AssertionError("pluggy was asked after wiring")

    monkeypatch.setattr(Manager, "__init__", refuse)
    monkeypatch.setattr(Manager, "ask", refuse)
    wiring.driver("good"), wiring.store("good"), wiring.serializer("json")
    _ = (wiring.middleware, wiring.dispatching, wiring.listeners, wiring.services, wiring.types)
    _ = (wiring.commands, wiring.checks, wiring.plugins, wiring.tables)


def test_only_the_manager_asks_pluggy() -> None:
    import packhorse.plugin

    folder = Path(packhorse.plugin.__file__).parent.parent
    users = {path.name for path in folder.rglob("*.py") if "import pluggy" in path.read_text()}
    assert users == {"hookspecs.py", "manager.py"}


class TestGood(PluginSuite):
    """The suite itself, on a plugin that is as it should be."""

    forbidden = ("sqlalchemy",)

    @pytest.fixture
    def plugin(self, good: str) -> str:
        return good


def test_the_suite_catches_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = PluginSuite()
    with pytest.raises(AssertionError, match="no entry point"):
        suite.test_it_is_installed("away")

    def bad(name: str, source: str) -> str:
        installed(tmp_path, monkeypatch, name, GOOD + source)
        return name

    heavy = bad("heavy", "import asyncio")
    suite.test_it_is_listed_as_working(heavy)
    with pytest.raises(AssertionError, match="must import nothing but"):
        suite.test_declaring_imports_no_client_library(heavy)
    unknown = bad("unknown", "@hookimpl\ndef packhorse_dreams(): return []")
    with pytest.raises(Exception, match="no hook packhorse_dreams"):
        suite.test_its_hooks_are_known(unknown)
    again = "@hookimpl\ndef packhorse_drivers(): return [DriverSpec('a', '{}:b', {})] * {}"
    with pytest.raises(AssertionError):
        suite.test_its_names_are_unique(bad("double", again.format("a", 1, 2)))
    with pytest.raises(AssertionError):
        suite.test_its_contract_versions_are_spoken(bad("new", again.format("a", 2, 1)))
    with pytest.raises(Exception, match="no_such_module"):
        suite.test_what_it_names_can_be_imported(bad("lost", again.format("no_such_module", 1, 1)))
    empty = "packhorse_drivers = packhorse_stores = packhorse_middleware = None"
    with pytest.raises(AssertionError):
        suite.test_it_declares_something(bad("empty", empty))
