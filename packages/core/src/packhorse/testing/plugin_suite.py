"""The suite for plugins: subclass it, give it the name of the entry point, done.

class TestCarrier(PluginSuite):
    forbidden = ("carrier_client",)

    @pytest.fixture
    def plugin(self):
        return "carrier"
"""

import subprocess
import sys
from typing import ClassVar

import pytest
from msgspec import Struct

from packhorse.driver.contract import Driver
from packhorse.plugin.catalog import CONTRACTS, Offer, kind, read_answer, spec_name
from packhorse.plugin.discovery import Plugin
from packhorse.plugin.loading import load_callable, load_class, load_events
from packhorse.plugin.manager import Manager
from packhorse.plugin.specs import DriverSpec, ListenerSpec, SerializerSpec, SettingSpec
from packhorse.plugin.wiring import Wiring
from packhorse.settings import Settings
from packhorse.testing.suite import Suite
from packhorse.wire.serializer import Serializer

HEAVY = ("asyncio", "click", "packhorse.cli", "packhorse.worker", "rich")
"""What no plugin may import by being declared."""

DECLARE = """
import sys
from importlib.metadata import entry_points
from packhorse.plugin.catalog import collect
from packhorse.plugin.discovery import discover
others = {point.name for point in entry_points(group="packhorse")} - {sys.argv[1]}
collect(discover(others))
print(*sys.modules)
"""


class PluginSuite(Suite):
    """What every plugin keeps to. `forbidden` are the client libraries that must not be imported
    before the configuration names what needs them."""

    forbidden: ClassVar[tuple[str, ...]] = ()

    @pytest.fixture
    def plugin(self) -> str:
        """The name of the plugin's entry point."""
        raise NotImplementedError("a PluginSuite needs a fixture `plugin`: its entry point's name")

    def test_it_is_installed(self, plugin: str) -> None:
        installed = [record.name for record in Wiring(Settings()).plugins]
        assert plugin in installed, (
            f"no entry point of the group packhorse is named {plugin}: declare it under "
            "[project.entry-points.packhorse] and install the package"
        )

    def test_it_is_listed_as_working(self, plugin: str) -> None:
        assert _record(plugin).error is None

    def test_its_version_is_known(self, plugin: str) -> None:
        record = _record(plugin)
        assert record.distribution
        assert record.version

    def test_declaring_imports_no_client_library(self, plugin: str) -> None:
        done = subprocess.run(
            [sys.executable, "-c", DECLARE, plugin], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        heavy = {*self.forbidden, *HEAVY}
        imported = {
            name
            for name in done.stdout.split()
            if any(name == each or name.startswith(f"{each}.") for each in heavy)
        }
        assert not imported, (
            "the plugin's module must import nothing but packhorse.plugin; import the rest in the "
            "modules that its import strings name"
        )

    def test_its_hooks_are_known(self, plugin: str) -> None:
        record = _record(plugin)
        assert record.module is not None, record.error
        Manager().register(record)

    def test_it_declares_something(self, plugin: str) -> None:
        assert _specs(plugin)

    def test_its_names_are_unique(self, plugin: str) -> None:
        names = [f"{kind(type(spec))} {spec_name(spec)}" for spec in _specs(plugin)]
        assert sorted(names) == sorted(set(names))

    def test_its_contract_versions_are_spoken(self, plugin: str) -> None:
        built_for = {spec: getattr(spec, "contract", None) for spec in _specs(plugin)}
        assert built_for == {spec: CONTRACTS.get(type(spec)) for spec in built_for}

    def test_what_it_names_can_be_imported(self, plugin: str) -> None:
        record = _record(plugin)
        for spec in _specs(plugin):
            offer = Offer(record, spec)
            if isinstance(spec, SettingSpec):
                load_class(offer, spec.model, Struct)
            elif isinstance(spec, DriverSpec):
                load_class(offer, spec.load, Driver)
            elif isinstance(spec, SerializerSpec):
                load_class(offer, spec.load, Serializer)
            else:
                for field in {"load", "type", "encode", "decode"} & {*spec.__struct_fields__}:
                    load_callable(offer, getattr(spec, field))
            if isinstance(spec, ListenerSpec):
                load_events(Offer(record, spec))


def _record(name: str) -> Plugin:
    found = [record for record in Wiring(Settings()).plugins if record.name == name]
    assert found, f"no plugin named {name} is installed"
    return found[0]


def _specs(name: str) -> list[Struct]:
    manager, record = Manager(), _record(name)
    assert record.module is not None, record.error
    manager.register(record)
    return [spec for hook, answer in manager.ask(record) for spec in read_answer(hook, answer)]
