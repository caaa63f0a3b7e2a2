"""What the plugins of one app offer: every hook asked once, every answer checked.

A plugin that answers nonsense is left out whole and becomes a record that says why.
"""

from collections.abc import Collection, Iterator
from typing import Final, Generic, TypeVar, cast

import msgspec
from msgspec import Struct

from packhorse.driver.contract import CONTRACT as DRIVER_CONTRACT
from packhorse.errors import PluginError
from packhorse.plugin import specs
from packhorse.plugin.discovery import CORE, Plugin, Plugins, in_a_line
from packhorse.plugin.importing import FORM
from packhorse.plugin.manager import Manager
from packhorse.store.contract import CONTRACT as STORE_CONTRACT
from packhorse.wire.codec import CONTRACT as CODEC_CONTRACT
from packhorse.wire.serializer import CONTRACT as SERIALIZER_CONTRACT

S = TypeVar("S", bound=Struct)

HOOKS: Final[dict[str, type[Struct]]] = {
    "packhorse_drivers": specs.DriverSpec,
    "packhorse_stores": specs.StoreSpec,
    "packhorse_serializers": specs.SerializerSpec,
    "packhorse_codecs": specs.CodecSpec,
    "packhorse_settings": specs.SettingSpec,
    "packhorse_types": specs.TypeSpec,
    "packhorse_middleware": specs.MiddlewareSpec,
    "packhorse_dispatching": specs.DispatchingSpec,
    "packhorse_listeners": specs.ListenerSpec,
    "packhorse_services": specs.ServiceSpec,
    "packhorse_commands": specs.CommandSpec,
    "packhorse_checks": specs.CheckSpec,
}
"""What each hook returns a list of."""

CONTRACTS: Final[dict[type[Struct], int]] = {
    specs.DriverSpec: DRIVER_CONTRACT,
    specs.StoreSpec: STORE_CONTRACT,
    specs.SerializerSpec: SERIALIZER_CONTRACT,
    specs.CodecSpec: CODEC_CONTRACT,
}
"""The version of each contract that this packhorse speaks."""


class Offer(Struct, Generic[S], frozen=True):
    """One spec, and whose it is."""

    plugin: Plugin
    spec: S

    @property
    def name(self) -> str:
        return spec_name(self.spec)

    @property
    def title(self) -> str:
        """The offer as an error names it: "the driver 'redis' of the plugin 'redis' (…)"."""
        return f"the {kind(type(self.spec))} {self.name!r} of the plugin {self.plugin.title}"


class Catalog(Struct, frozen=True):
    """The plugins, working and broken, and the offers of the working ones."""

    plugins: Plugins
    offers: tuple[Offer[Struct], ...]

    def find(self, spec: type[S], name: str | None = None) -> tuple[Offer[S], ...]:
        """The offers of a kind, all or those of one name."""
        found = [
            offer
            for offer in self.offers
            if type(offer.spec) is spec and name in (None, offer.name)
        ]
        return cast("tuple[Offer[S], ...]", tuple(found))

    def plugin(self, name: str) -> Plugin | None:
        """The record of an installed plugin."""
        return next((plugin for plugin in self.plugins if plugin.name == name), None)


def collect(plugins: Plugins, taken: Collection[str] = ()) -> Catalog:
    """Asks every working plugin; `taken` are offers, as in "driver memory", that nobody may make.

    Never raises for what a plugin does: see `Plugin.error`.
    """
    manager = Manager()
    records: list[Plugin] = []
    offers: list[Offer[Struct]] = []
    for plugin in plugins:
        made: list[Struct] = []
        error, cause = plugin.error, plugin.cause
        if error is None:
            try:
                manager.register(plugin)
                for hook, answer in manager.ask(plugin):
                    made += read_answer(hook, answer)
                _check(made, () if plugin.name == CORE else taken)
            except PluginError as failure:
                error, cause = str(failure), failure.__cause__
            except Exception as failure:
                error, cause = f"a hook of it raised {in_a_line(failure)}", failure
        labels = tuple(f"{kind(type(spec))} {spec_name(spec)}" for spec in made)
        record = msgspec.structs.replace(plugin, error=error, cause=cause, offers=labels)
        records.append(record)
        if error is None:
            offers += [Offer(record, spec) for spec in made]
    return Catalog(tuple(records), tuple(offers))


def kind(spec: type[Struct]) -> str:
    """What a class of specs describes, in a word: "driver" for `DriverSpec`."""
    return spec.__name__.removesuffix("Spec").lower()


def spec_name(spec: Struct) -> str:
    """The name under which a spec's thing is asked for."""
    return str(getattr(spec, spec.__struct_fields__[0]))


def read_answer(hook: str, answer: object) -> Iterator[Struct]:
    """The specs that a hook returned; raises `PluginError` if it returned anything else."""
    expected = HOOKS[hook]
    if not isinstance(answer, list | tuple):
        raise PluginError(
            f"{hook} returned a {type(answer).__name__}; "
            f"it must return a list of {expected.__name__}"
        )
    for spec in answer:
        if type(spec) is not expected:
            raise PluginError(
                f"{hook} returned a list with a {type(spec).__name__} in it; "
                f"it must be a list of {expected.__name__}"
            )
        try:
            yield msgspec.convert(msgspec.to_builtins(spec), expected)
        except (msgspec.ValidationError, TypeError) as error:
            raise PluginError(f"{hook} returned a wrong {expected.__name__}: {error}") from error


def _check(made: list[Struct], taken: Collection[str]) -> None:
    seen: set[str] = set()
    for spec in made:
        label = f"{kind(type(spec))} {spec_name(spec)}"
        if label in seen:
            raise PluginError(f"it offers the {label} twice")
        if label in taken:
            raise PluginError(f"it offers the {label}, which is the core's own")
        if "scheme" in spec.__struct_fields__ and label != label.lower():
            raise PluginError(f"its {label} must be written in lower case, as URLs are read")
        seen.add(label)
        speaks = CONTRACTS.get(type(spec))
        built_for = getattr(spec, "contract", None)
        if built_for != speaks:
            what = kind(type(spec))
            raise PluginError(
                f"its {label} is built for {what} contract {built_for}, "
                f"this packhorse speaks {speaks}; install matching versions"
            )
        for field in ("load", "model", "type", "encode", "decode"):
            text = getattr(spec, field, "a:a")
            if not FORM.fullmatch(text):
                raise PluginError(f"its {label} has {field}={text!r}; write package.module:name")
