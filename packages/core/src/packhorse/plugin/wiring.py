"""Compiles what the settings name out of what the plugins offer; after it, no hook is called.

Installed means available, named in the settings means active: drivers and stores by a URL's scheme,
serializers and codecs by name, everything else by the plugin's name in `plugins`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeVar, cast

from msgspec import Struct

from packhorse.driver.contract import Driver, DriverSetup
from packhorse.driver.url import Url
from packhorse.errors import PackhorseError, PluginError
from packhorse.lazy import lazy
from packhorse.plugin import choosing, specs
from packhorse.plugin.catalog import Catalog, Offer, collect
from packhorse.plugin.discovery import CORE, Plugins, core, discover, with_version
from packhorse.plugin.loading import blame, load_callable, load_class, load_events
from packhorse.plugin.tables import check_tables
from packhorse.settings import ConnectionSettings, Settings, nearest
from packhorse.store.contract import Store
from packhorse.wire.codec import Codec
from packhorse.wire.serializer import Serializer

if TYPE_CHECKING:
    import click

    from packhorse.app import Packhorse
    from packhorse.events.types import Event
    from packhorse.options import Middleware
    from packhorse.sending import Push
    from packhorse.wire.types import Decode, Encode

S = TypeVar("S", bound=Struct)
T = TypeVar("T")

StoreFactory = Callable[[Url, DriverSetup], Store]
Listener = Callable[["Event"], None]
Dispatching = Callable[[Sequence["Push"]], Iterator[object]]
ServiceFactory = Callable[["Packhorse"], specs.Service]
Check = Callable[["Packhorse"], Sequence[specs.CheckResult]]

LISTED: Final = (
    specs.TypeSpec,
    specs.MiddlewareSpec,
    specs.DispatchingSpec,
    specs.ListenerSpec,
    specs.ServiceSpec,
    specs.CommandSpec,
    specs.CheckSpec,
)
"""What is active only for plugins that `plugins` lists."""


class Wiring(Struct, frozen=True, dict=True, eq=False):
    """What one app uses. Things are imported when they are first asked for; safe in any thread.

    Every answer raises `PluginError` if the plugin does not keep what it declared. `given` replaces
    what is installed, for tests.
    """

    settings: Settings
    given: Plugins | None = None

    def driver(self, scheme: str) -> type[Driver]:
        """The driver class for URLs of a scheme; raises `UnknownDriver`."""
        offer = self._choose(specs.DriverSpec, scheme)
        return cast("type[Driver]", load_class(offer, offer.spec.load, Driver))

    def store(self, scheme: str) -> StoreFactory | None:
        """What opens a store for URLs of a scheme; None if its driver comes without one."""
        known = self._core if self._core.find(specs.DriverSpec, scheme) else self.catalog
        if not known.find(specs.StoreSpec, scheme) and known.find(specs.DriverSpec, scheme):
            return None
        offer = self._choose(specs.StoreSpec, scheme)
        return cast("StoreFactory", load_callable(offer, offer.spec.load))

    def serializer(self, name: str) -> Serializer:
        """The serializer of this name."""
        offer = self._choose(specs.SerializerSpec, name)
        made = load_class(offer, offer.spec.load, Serializer)
        return cast("type[Serializer]", made)()

    def codec(self, name: str, settings: Mapping[str, object]) -> Codec:
        """A codec, made from its table of the settings; raises what it raises for a wrong one."""
        offer = self._choose(specs.CodecSpec, name)
        make = load_callable(offer, offer.spec.load)
        try:
            codec = make(settings)
        except PackhorseError:
            raise
        except Exception as error:  # neither its text nor its trace: they may hold a key
            raise blame(offer, f"it raised {type(error).__name__}") from None
        if not isinstance(codec, Codec):
            raise blame(offer, f"{offer.spec.load} did not make a Codec")
        return codec

    @lazy
    def middleware(self) -> tuple["Middleware", ...]:
        """What goes round every attempt, the outermost first."""
        found = self._listed(specs.MiddlewareSpec)
        return tuple(cast("Middleware", load_callable(each, each.spec.load)) for each in found)

    @lazy
    def dispatching(self) -> tuple[Dispatching, ...]:
        """What goes round every push, the first one first."""
        found = self._listed(specs.DispatchingSpec)
        return tuple(cast("Dispatching", load_callable(each, each.spec.load)) for each in found)

    @lazy
    def listeners(self) -> Mapping[type["Event"], tuple[Listener, ...]]:
        """For each event class that is named, those who listen to it."""
        listening: dict[type[Event], tuple[Listener, ...]] = {}
        for offer in self._listed(specs.ListenerSpec):
            listener = cast("Listener", load_callable(offer, offer.spec.load))
            for event in load_events(offer):
                listening[event] = (*listening.get(event, ()), listener)
        return listening

    @lazy
    def services(self) -> Mapping[str, ServiceFactory]:
        """What starts and stops with a worker, by name."""
        found = self._listed(specs.ServiceSpec)
        return {
            each.name: cast("ServiceFactory", load_callable(each, each.spec.load)) for each in found
        }

    @lazy
    def types(self) -> "tuple[tuple[type, Encode, Decode], ...]":
        """Types that travel beside the core's own, each with how it is written and read."""
        return tuple(
            (
                load_class(each, each.spec.type, object),
                load_callable(each, each.spec.encode),
                load_callable(each, each.spec.decode),
            )
            for each in self._listed(specs.TypeSpec)
        )

    @lazy
    def commands(self) -> Mapping[str, specs.CommandSpec]:
        """The plugins' commands by name, not imported yet; see `command`."""
        return {each.name: each.spec for each in self._listed(specs.CommandSpec)}

    def command(self, name: str) -> "click.Command":
        """Imports one of `commands`."""
        offer = self._one(specs.CommandSpec, name)
        return cast("click.Command", load_callable(offer, offer.spec.load))

    @lazy
    def checks(self) -> Mapping[str, specs.CheckSpec]:
        """The plugins' checks by name, not imported yet; see `check`."""
        return {each.name: each.spec for each in self._listed(specs.CheckSpec)}

    def check(self, name: str) -> Check:
        """Imports one of `checks`."""
        offer = self._one(specs.CheckSpec, name)
        return cast("Check", load_callable(offer, offer.spec.load))

    @lazy
    def tables(self) -> Mapping[str, Struct]:
        """The active plugins' tables of settings, checked, by name."""
        if not self._active and not self.settings.tables:
            return {}
        found = self.catalog.find(specs.SettingSpec)
        declared = [offer for offer in found if offer.plugin.name in self._active]
        return check_tables(self.settings, declared, self.catalog)

    @property
    def plugins(self) -> Plugins:
        """Everything installed, the core first, broken ones with their error."""
        return (with_version(self._core.plugins[0]), *self.catalog.plugins)

    @lazy
    def catalog(self) -> Catalog:
        """What the installed plugins offer; they are looked for when the core is not enough."""
        block = self.settings.block
        if self.given is None:
            found = discover(block)
        else:
            found = tuple(plugin for plugin in self.given if plugin.name not in block)
        catalog = collect(found, {label for each in self._core.plugins for label in each.offers})
        _report(catalog, self.settings.strict)
        return catalog

    @lazy
    def _core(self) -> Catalog:
        return collect((core(),))

    @lazy
    def _active(self) -> frozenset[str]:
        """The names of the plugins that the settings name, directly or by what they bring."""
        chosen: list[Offer[Struct]] = []
        for name, connection in self.settings.connections.items():
            try:
                chosen += self._named(connection)
            except PackhorseError as error:
                where = f"{self.settings.source}, [connections.{name}]"
                raise type(error)(f"{where}: {error}") from error.__cause__
        for name in self.settings.plugins:
            choosing.plugin(self.catalog, name, self.settings.block)
        return frozenset(offer.plugin.name for offer in chosen) - {CORE} | set(
            self.settings.plugins
        )

    def _named(self, connection: ConnectionSettings) -> list[Offer[Struct]]:
        """The offers that a connection names."""
        named: list[tuple[type[Struct], str]] = [
            (specs.DriverSpec, Url.parse(connection.url).scheme),
            (specs.SerializerSpec, connection.serializer),
            *((specs.CodecSpec, codec) for codec in connection.codecs),
        ]
        if connection.store is not None and "://" in connection.store:
            named.append((specs.StoreSpec, Url.parse(connection.store).scheme))
        return [self._choose(spec, name) for spec, name in named]

    def _choose(self, spec: type[S], name: str) -> Offer[S]:
        for offer in self._core.find(spec, name):
            return offer
        return choosing.choose(self._core, self.catalog, spec, name, self.settings.block)

    def _listed(self, spec: type[S]) -> list[Offer[S]]:
        """The offers of a kind by the plugins that the settings list, in order."""
        if not self.settings.plugins:
            return []
        found = [
            each for each in self.catalog.find(spec) if each.plugin.name in self.settings.plugins
        ]
        choosing.refuse_duplicates(found)
        return sorted(
            found, key=lambda each: (getattr(each.spec, "order", 0), each.plugin.name, each.name)
        )

    def _one(self, spec: type[S], name: str) -> Offer[S]:
        found = {offer.name: offer for offer in self._listed(spec)}
        if name not in found:
            raise PluginError(f"no active plugin offers {name!r}; {nearest(name, found)}")
        return found[name]


def wire(settings: Settings, plugins: Plugins | None = None) -> Wiring:
    """Finds everything that the settings name, and checks it, without importing any of it yet.

    Raises `UnknownDriver`, `PluginError` or `ConfigError` for what is missing, broken, offered
    twice or wrongly set. `plugins` replaces what is installed, for tests.
    """
    wiring = Wiring(settings, plugins)
    if settings.strict:
        _ = wiring.catalog
    _ = wiring.tables
    for spec in LISTED:
        wiring._listed(spec)
    return wiring


def _report(catalog: Catalog, strict: bool) -> None:
    """Warns of each broken plugin in one line, or raises for the first in strict mode."""
    for plugin in catalog.plugins:
        if plugin.error is None:
            continue
        text = f"the plugin {plugin.title} is broken and left out: {plugin.error}"
        if strict:
            raise PluginError(text) from plugin.cause
        import logging  # 8 ms, which nobody pays whose plugins work

        logging.getLogger("packhorse").warning("%s", text)
