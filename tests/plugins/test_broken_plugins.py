"""Plugins that are broken, double, blocked, too new or missing: what stops, and what is said."""

import logging
import traceback
from types import ModuleType

import pytest

from packhorse.errors import ConfigError, PackhorseError, PluginError, UnknownDriver
from packhorse.plugin import (
    CodecSpec,
    DriverSpec,
    ListenerSpec,
    MiddlewareSpec,
    SerializerSpec,
    SettingSpec,
    StoreSpec,
    hookimpl,
)
from packhorse.plugin.catalog import Catalog, collect
from packhorse.plugin.discovery import Plugin
from packhorse.plugin.wiring import wire
from packhorse.settings import load
from tests.plugins.throwaway import plugin, wired

HERE = "tests.plugins.things:"
NULL = "packhorse.driver.null:NullDriver"
GOOD = plugin("good", packhorse_drivers=[DriverSpec("good", NULL)])


def fault(broken: Plugin) -> str:
    """The error of a plugin that stands beside a good one, which is none the worse for it."""
    catalog: Catalog = collect((broken, GOOD))
    record = catalog.plugin(broken.name)
    assert record is not None
    assert record.error is not None
    assert [offer.name for offer in catalog.offers] == ["good"]
    return record.error


def broken_import(name: str = "redis") -> Plugin:
    cause = ImportError("No module named 'redis'")
    return Plugin(name, f"packhorse-{name}", "0.9", None, "it cannot be imported: away", cause)


@pytest.mark.parametrize(
    ("hooks", "error"),
    [
        ({"packhorse_driver": []}, "no hook packhorse_driver; did you mean 'packhorse_drivers'"),
        ({"packhorse_drivers": 5}, "packhorse_drivers returned a int; it must return a list of"),
        ({"packhorse_drivers": ["redis"]}, "packhorse_drivers returned a list with a str in it"),
        (
            {"packhorse_drivers": [CodecSpec("a", "a:b")]},
            "a list with a CodecSpec in it; it must be a list of DriverSpec",
        ),
        (
            {"packhorse_drivers": [DriverSpec("new", NULL, contract=2)]},
            "its driver new is built for driver contract 2, this packhorse speaks 1",
        ),
        (
            {"packhorse_stores": [StoreSpec("new", NULL, contract=0)]},
            "its store new is built for store contract 0, this packhorse speaks 1",
        ),
        (
            {"packhorse_drivers": [DriverSpec("a", NULL), DriverSpec("a", NULL)]},
            "it offers the driver a twice",
        ),
        ({"packhorse_drivers": [DriverSpec("A", NULL)]}, "driver A must be written in lower case"),
        ({"packhorse_drivers": [DriverSpec("a", "a.b.c")]}, "'a.b.c'; write package.module:name"),
        ({"packhorse_drivers": [DriverSpec(1, NULL)]}, "a wrong DriverSpec: Expected `str`"),  # type: ignore[arg-type]
    ],
)
def test_nonsense_is_the_fault_of_its_plugin(hooks: dict[str, object], error: str) -> None:
    assert error in fault(plugin("demo", **hooks))


def test_a_hook_that_raises() -> None:
    class Raising:
        @hookimpl
        def packhorse_drivers(self) -> list[DriverSpec]:
            raise OSError("no disk\nno cry")

    error = fault(Plugin("demo", module=Raising()))
    assert error == "a hook of it raised OSError: no disk"


def test_a_hook_without_the_decorator() -> None:
    module = ModuleType("forgetful")
    module.packhorse_drivers = lambda: []  # type: ignore[attr-defined]
    assert "packhorse_drivers lacks the decorator @hookimpl" in fault(Plugin("a", module=module))


def test_a_hook_that_wants_an_argument() -> None:
    class Wanting:
        @hookimpl
        def packhorse_drivers(self, app: object) -> list[DriverSpec]:
            return []

    assert "it cannot be registered" in fault(Plugin("demo", module=Wanting()))


def test_an_unknown_hook_may_be_optional() -> None:
    class Ahead:
        @hookimpl(optionalhook=True)
        def packhorse_dreams(self) -> list[object]:
            return []

        @hookimpl
        def packhorse_drivers(self) -> list[DriverSpec]:
            return [DriverSpec("ahead", NULL)]

    catalog = collect((Plugin("ahead", module=Ahead()),))
    assert catalog.plugins[0].error is None
    assert catalog.plugins[0].offers == ("driver ahead",)


def test_a_broken_plugin_is_named_in_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        wiring = wired(broken_import(), GOOD, url="good://", active=())
    assert [record.getMessage() for record in caplog.records] == [
        "the plugin 'redis' (packhorse-redis 0.9) is broken and left out: "
        "it cannot be imported: away"
    ]
    assert [each.name for each in wiring.plugins] == ["core", "redis", "good"]


def test_strict_raises_for_a_broken_plugin() -> None:
    broken = broken_import()
    settings = load("memory://", environ={"PACKHORSE_STRICT": "1"})
    with pytest.raises(PluginError, match="packhorse-redis") as caught:
        wire(settings, (broken,))
    assert caught.value.__cause__ is broken.cause


def test_a_scheme_whose_plugin_is_broken() -> None:
    broken = broken_import()
    with pytest.raises(UnknownDriver, match=r"'rediss' needs the plugin 'redis'.*broken") as caught:
        wired(broken, url="rediss://localhost")
    assert caught.value.__cause__ is broken.cause
    assert "[connections.main]" in str(caught.value)


def test_a_scheme_whose_plugin_is_too_new() -> None:
    new = plugin("demo", packhorse_drivers=[DriverSpec("carrier", NULL, contract=2)])
    with pytest.raises(UnknownDriver, match=r"'carrier' needs .* built for driver contract 2"):
        wired(new, url="carrier://coop")


@pytest.mark.parametrize(
    ("scheme", "line"),
    [
        ("redis", "pip install packhorse-redis"),
        ("unix", "pip install packhorse-redis"),
        ("sqlite", "pip install packhorse-sql"),
        ("mariadb", "pip install packhorse-sql"),
        ("sqs", "pip install packhorse-sqs"),
        ("beanstalkd", "pip install packhorse-beanstalkd"),
        ("memroy", "did you mean 'memory'"),
        ("goot", "did you mean 'good'"),
        ("zzz", "there is: background, deferred, failover, good, memory, null, sync"),
    ],
)
def test_a_scheme_that_nobody_offers(scheme: str, line: str) -> None:
    with pytest.raises(UnknownDriver, match=line):
        wired(GOOD, url=f"{scheme}://user:hunter2@localhost")


def test_a_scheme_that_the_installed_version_lacks() -> None:
    sql = plugin("sql", packhorse_drivers=[DriverSpec("sqlite", NULL)])
    with pytest.raises(UnknownDriver, match=r"not offered by the installed 'sql' .*newer one may"):
        wired(sql, url="mysql://localhost")


def test_two_plugins_with_one_name() -> None:
    rival = plugin("rival", packhorse_drivers=[DriverSpec("good", NULL)])
    with pytest.raises(PluginError, match=r"packhorse-good .*packhorse-rival .*block"):
        wired(GOOD, rival, url="good://", active=())
    assert wired(GOOD, rival, active=()).driver("memory")
    settings = load("good://", environ={}, block=["rival"])
    assert wire(settings, (GOOD, rival)).driver("good")


def test_two_active_plugins_with_one_middleware() -> None:
    spec = MiddlewareSpec("timed", HERE + "outer")
    one, two = (plugin(name, packhorse_middleware=[spec]) for name in ("one", "two"))
    with pytest.raises(PluginError, match=r"middleware 'timed' of the plugin 'one'.*'two'"):
        wired(one, two, active=["one", "two"])
    assert len(wired(one, two, active=["two"]).middleware) == 1


def test_nobody_replaces_what_the_core_brings(caplog: pytest.LogCaptureFixture) -> None:
    thief = plugin("thief", packhorse_drivers=[DriverSpec("memory", NULL)])
    wiring = wired(thief, GOOD, url="good://", active=())
    assert wiring.driver("memory").__name__ == "MemoryDriver"
    assert "it offers the driver memory, which is the core's own" in caplog.text


def test_a_blocked_plugin_is_as_if_it_were_not_there() -> None:
    redis = plugin("redis", packhorse_drivers=[DriverSpec("redis", NULL)])
    settings = load("redis://localhost", environ={"PACKHORSE_BLOCK": "other, redis"})
    with pytest.raises(UnknownDriver, match="settings block the plugin 'redis'"):
        wire(settings, (redis,))


@pytest.mark.parametrize(
    ("named", "error"),
    [
        ({"codecs": ["encryption"]}, "codec 'encryption' is not installed; pip install packhorse-"),
        ({"codecs": ["reversin"]}, "codec 'reversin' is not installed; did you mean 'reversing'"),
        ({"serializer": "jsn"}, "serializer 'jsn' is not installed; did you mean 'json'"),
        (
            {"store": "redis://u:hunter2@h"},
            "store 'redis' is not installed; pip install packhorse-",
        ),
        ({"active": ["demos"]}, "plugin 'demos' is not installed; did you mean 'demo'"),
        ({"active": ["redis"]}, "plugin 'redis' is not installed; pip install packhorse-redis"),
        ({"active": ["sqs"]}, "plugin 'sqs' needs .*broken: it cannot be imported"),
        ({"codecs": ["sqs"]}, "codec 'sqs' needs the plugin .*broken: it cannot be imported"),
    ],
)
def test_what_is_named_and_missing_stops_the_process(named: dict[str, object], error: str) -> None:
    demo = plugin(packhorse_codecs=[CodecSpec("reversing", HERE + "Reversing")])
    with pytest.raises(PluginError, match=error) as caught:
        wired(demo, broken_import("sqs"), **named)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_what_is_declared_and_cannot_be_imported() -> None:
    demo = plugin(packhorse_drivers=[DriverSpec("demo", "no_such_client.driver:Driver")])
    wiring = wired(demo, url="demo://", active=())
    with pytest.raises(PluginError, match=r"driver 'demo' of the plugin 'demo'.*no_such") as caught:
        wiring.driver("demo")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_what_is_declared_and_is_something_else() -> None:
    demo = plugin(
        packhorse_drivers=[DriverSpec("demo", HERE + "check")],
        packhorse_serializers=[SerializerSpec("demo", HERE + "Demo")],
        packhorse_codecs=[
            CodecSpec("raising", HERE + "make_broken_codec"),
            CodecSpec("nothing", HERE + "make_no_codec"),
        ],
        packhorse_middleware=[MiddlewareSpec("demo", HERE + "NOT_CALLABLE")],
        packhorse_listeners=[ListenerSpec("demo", HERE + "listen", events=("JobFaild",))],
    )
    wiring = wired(demo)
    with pytest.raises(PluginError, match="check is no subclass of Driver"):
        wiring.driver("demo")
    with pytest.raises(PluginError, match="Demo is no subclass of Serializer"):
        wiring.serializer("demo")
    with pytest.raises(PluginError, match="did not make a Codec"):
        wiring.codec("nothing", {})
    with pytest.raises(PluginError, match="NOT_CALLABLE is not callable"):
        _ = wiring.middleware
    with pytest.raises(PluginError, match="no event 'JobFaild'; did you mean 'JobFailed'"):
        _ = wiring.listeners
    with pytest.raises(PluginError, match="it raised ValueError") as caught:
        wiring.codec("raising", {})
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("tables", "active", "error"),
    [
        ({"reversing": {"lvel": 1}}, ["demo"], r"\[reversing\]: .*'lvel'; did you mean 'level'"),
        ({"reversing": {"level": "hunter2"}}, ["demo"], r"Expected `int`, got `str` - at `\$.lev"),
        ({"needy": {"strength": 1}}, ["demo"], r"\[needy\]: .*missing required field `url`"),
        ({"needy": {"url": "", "level": 1}}, ["demo"], "no setting 'level'; there is: strength, u"),
        ({"reversin": {}}, ["demo"], r"reads the table \[reversin\]; did you mean 'reversing'"),
        ({"reversing": {}}, [], r"belongs to the plugin 'demo'.*plugins = \[\"demo\"\]"),
        ({"encryption": {}}, [], "pip install packhorse-encryption"),
        ({"sqs": {}}, [], r"\[sqs\] belongs to the plugin 'sqs' .*broken"),
    ],
)
def test_wrong_tables(tables: dict[str, object], active: list[str], error: str) -> None:
    models = [SettingSpec("reversing", HERE + "ReversingSettings")]
    if "needy" in tables:
        models.append(SettingSpec("needy", HERE + "NeedySettings"))
    demo = plugin(packhorse_settings=models)
    with pytest.raises(ConfigError, match=error) as caught:
        wired(demo, broken_import("sqs"), active=active, tables=tables)
    assert "hunter2" not in str(caught.value)


def test_every_error_is_one_line_of_packhorse() -> None:
    with pytest.raises(PackhorseError) as caught:
        wired(url="redis://localhost", active=())
    assert "\n" not in str(caught.value)
