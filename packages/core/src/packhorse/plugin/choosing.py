"""Finds the one offer, or the one plugin, that goes by a name, or says what to do about it."""

from collections.abc import Iterable
from typing import TypeVar

from msgspec import Struct

from packhorse.errors import PluginError, UnknownDriver
from packhorse.plugin.catalog import Catalog, Offer, kind
from packhorse.plugin.discovery import Plugin
from packhorse.plugin.packages import PACKAGES, SCHEMES
from packhorse.plugin.specs import DriverSpec
from packhorse.settings import nearest

S = TypeVar("S", bound=Struct)


def choose(
    core: Catalog, catalog: Catalog, spec: type[S], name: str, block: Iterable[str] = ()
) -> Offer[S]:
    """The offer of this kind and name.

    Raises `UnknownDriver` (for a driver) or `PluginError` if there is none, saying whether its
    plugin is broken, blocked or not installed, and `PluginError` if there are two.
    """
    found = catalog.find(spec, name)
    if not found:
        known = [offer.name for offer in (*core.find(spec), *catalog.find(spec))]
        owner = SCHEMES.get(name, name) if "scheme" in spec.__struct_fields__ else name
        reason, cause = _reason(catalog, owner, f"{kind(spec)} {name}", block)
        error = UnknownDriver if spec is DriverSpec else PluginError
        raise error(
            f"the {kind(spec)} {name!r} {reason or f'is not installed; {nearest(name, known)}'}"
        ) from cause
    refuse_duplicates(found)
    return found[0]


def plugin(catalog: Catalog, name: str, block: Iterable[str] = ()) -> Plugin:
    """The working plugin of this name; raises `PluginError` if it is missing or broken."""
    record = catalog.plugin(name)
    if record is None or record.error:
        known = [record.name for record in catalog.plugins]
        reason, cause = _reason(catalog, name, "", block)
        raise PluginError(
            f"the plugin {name!r} {reason or f'is not installed; {nearest(name, known)}'}"
        ) from cause
    return record


def refuse_duplicates(offers: Iterable[Offer[S]]) -> None:
    """Raises `PluginError` for two offers of one kind and name, naming both plugins."""
    seen: dict[str, Offer[S]] = {}
    for offer in offers:
        other = seen.setdefault(offer.name, offer)
        if other is not offer:
            raise PluginError(
                f"{other.title} has a rival in the plugin {offer.plugin.title}; uninstall one or "
                f'switch it off: block = ["{offer.plugin.name}"] or '
                f"PACKHORSE_BLOCK={offer.plugin.name}"
            )


def _reason(
    catalog: Catalog, owner: str, offered: str, block: Iterable[str]
) -> tuple[str, BaseException | None]:
    """Why something is missing and what to do, and the exception behind it; "" if nobody knows.

    `owner` is the name of the plugin that probably brings it, `offered` how one would offer it.
    """
    for record in catalog.plugins:
        if record.error and (record.name == owner or offered in record.offers):
            return f"needs the plugin {record.title}, which is broken: {record.error}", record.cause
    if owner in block:
        return f"is switched off: the settings block the plugin {owner!r}", None
    working = catalog.plugin(owner)
    if working is not None:
        return f"is not offered by the installed {working.title}; a newer one may", None
    if owner in PACKAGES:
        return f"is not installed; pip install {PACKAGES[owner]}", None
    return "", None
