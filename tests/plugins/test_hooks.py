"""One test a hook, named after it: a throwaway plugin implements it, and the wiring shows it."""

import pytest

from packhorse.errors import PluginError
from packhorse.events.types import JobEvent, JobFailed
from packhorse.plugin import (
    CheckSpec,
    CodecSpec,
    CommandSpec,
    DispatchingSpec,
    DriverSpec,
    ListenerSpec,
    MiddlewareSpec,
    SerializerSpec,
    ServiceSpec,
    SettingSpec,
    StoreSpec,
    TypeSpec,
    hookspecs,
)
from packhorse.plugin.catalog import HOOKS
from tests.plugins import things
from tests.plugins.throwaway import plugin, wired

HERE = "tests.plugins.things:"


def test_packhorse_drivers() -> None:
    demo = plugin(packhorse_drivers=[DriverSpec("demo", "packhorse.driver.null:NullDriver")])
    wiring = wired(demo, url="demo://here", active=())
    assert wiring.driver("demo").__name__ == "NullDriver"
    assert wiring.store("demo") is None


def test_packhorse_stores() -> None:
    demo = plugin(packhorse_stores=[StoreSpec("demo", HERE + "open_store")])
    wiring = wired(demo, store="demo://here", active=())
    assert wiring.store("demo") == things.open_store


def test_packhorse_serializers() -> None:
    demo = plugin(packhorse_serializers=[SerializerSpec("plain", HERE + "PlainSerializer")])
    wiring = wired(demo, serializer="plain", active=())
    assert isinstance(wiring.serializer("plain"), things.PlainSerializer)


def test_packhorse_codecs() -> None:
    demo = plugin(
        packhorse_codecs=[CodecSpec("reversing", HERE + "Reversing")],
        packhorse_settings=[SettingSpec("reversing", HERE + "ReversingSettings")],
    )
    wiring = wired(demo, codecs=["reversing"], active=(), tables={"reversing": {"level": 9}})
    codec = wiring.codec("reversing", wiring.settings.tables["reversing"])
    assert isinstance(codec, things.Reversing)
    assert codec.settings == {"level": 9}


def test_packhorse_settings() -> None:
    demo = plugin(packhorse_settings=[SettingSpec("reversing", HERE + "ReversingSettings")])
    wiring = wired(demo, tables={"reversing": {"level": 9}})
    assert wiring.tables == {"reversing": things.ReversingSettings(level=9)}
    assert wired(demo).tables == {"reversing": things.ReversingSettings()}


def test_packhorse_types() -> None:
    spec = TypeSpec(HERE + "Demo", HERE + "write_demo", HERE + "read_demo")
    demo = plugin(packhorse_types=[spec])
    assert wired(demo).types == ((things.Demo, things.write_demo, things.read_demo),)
    assert wired(demo, active=()).types == ()


def test_packhorse_middleware() -> None:
    within = MiddlewareSpec("within", HERE + "inner", order=5)
    demo = plugin(packhorse_middleware=[within, MiddlewareSpec("round", HERE + "outer")])
    other = plugin("other", packhorse_middleware=[MiddlewareSpec("last", HERE + "inner", 9)])
    wiring = wired(other, demo, active=["other", "demo"])
    assert wiring.middleware == (things.outer, things.inner, things.inner)
    assert wired(demo, active=()).middleware == ()


def test_packhorse_dispatching() -> None:
    demo = plugin(packhorse_dispatching=[DispatchingSpec("stamp", HERE + "stamp")])
    assert wired(demo).dispatching == (things.stamp,)
    assert wired(demo, active=()).dispatching == ()


def test_packhorse_listeners() -> None:
    spec = ListenerSpec("pager", HERE + "listen", events=("JobFailed", "JobEvent"))
    second = ListenerSpec("again", HERE + "listen", events=("JobFailed",))
    demo = plugin(packhorse_listeners=[spec, second])
    assert wired(demo).listeners == {
        JobFailed: (things.listen, things.listen),
        JobEvent: (things.listen,),
    }
    assert wired(demo, active=()).listeners == {}


def test_packhorse_services() -> None:
    demo = plugin(packhorse_services=[ServiceSpec("clockwork", HERE + "Clockwork")])
    assert wired(demo).services == {"clockwork": things.Clockwork}
    assert wired(demo, active=()).services == {}


def test_packhorse_commands() -> None:
    spec = CommandSpec("stats", HERE + "command", summary="Shows the rates.")
    demo = plugin(packhorse_commands=[spec, CommandSpec("lost", "no_such_module:command")])
    wiring = wired(demo)
    assert sorted(wiring.commands) == ["lost", "stats"]
    assert wiring.commands["stats"].summary == "Shows the rates."
    assert wiring.command("stats") is things.command
    with pytest.raises(PluginError, match="command 'lost' of the plugin 'demo'"):
        wiring.command("lost")
    with pytest.raises(PluginError, match="no active plugin offers 'stat'; did you mean 'stats'"):
        wiring.command("stat")
    assert wired(demo, active=()).commands == {}


def test_packhorse_checks() -> None:
    demo = plugin(packhorse_checks=[CheckSpec("demo", HERE + "check")])
    wiring = wired(demo)
    assert list(wiring.checks) == ["demo"]
    assert wiring.check("demo") is things.check
    assert wired(demo, active=()).checks == {}


def test_every_hook_has_a_test_named_after_it() -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("packhorse_")}
    assert hooks == set(HOOKS)
    assert {name for name in hooks if f"test_{name}" not in globals()} == set()
