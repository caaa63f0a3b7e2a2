"""Makes plugins for a test: as records, or installed for real in a folder."""

from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import pytest

from packhorse.plugin import hookimpl
from packhorse.plugin.discovery import Plugin
from packhorse.plugin.wiring import Wiring, wire
from packhorse.settings import load


def plugin(name: str = "demo", /, **hooks: object) -> Plugin:
    """A plugin whose hooks return these answers."""
    module = ModuleType(f"{name}_plugin")
    for hook, answer in hooks.items():
        setattr(module, hook, _implementation(hook, answer))
    return Plugin(name, f"packhorse-{name}", "1.0", module)


def _implementation(hook: str, answer: object) -> object:
    def implementation() -> object:
        return answer

    implementation.__name__ = hook
    return hookimpl(implementation)


def wired(
    *plugins: Plugin,
    url: str = "memory://",
    active: Sequence[str] = ("demo",),
    tables: dict[str, object] | None = None,
    **connection: object,
) -> Wiring:
    """The wiring of an app with one connection, where these plugins are installed."""
    config = {"connections": {"main": {"url": url, **connection}}, **(tables or {})}
    return wire(load(config=config, environ={}, plugins=active), plugins)


def installed(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    source: str,
    distribution: str = "",
    version: str = "1.0",
) -> None:
    """Installs a plugin into `folder` and puts that on the import path, child processes' too."""
    distribution = distribution or f"packhorse-{name}"
    module = f"{distribution.replace('-', '_')}_plugin"
    (folder / f"{module}.py").write_text(source)
    info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
    )
    (info / "entry_points.txt").write_text(f"[packhorse]\n{name} = {module}\n")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))
