"""Checks the plugins' own tables of the settings against what the active plugins declare."""

from collections.abc import Mapping, Sequence
from typing import cast

from msgspec import Struct, ValidationError, convert

from packhorse.errors import ConfigError
from packhorse.plugin.catalog import Catalog, Offer
from packhorse.plugin.choosing import refuse_duplicates
from packhorse.plugin.loading import load_class
from packhorse.plugin.packages import PACKAGES
from packhorse.plugin.specs import SettingSpec
from packhorse.settings import TOP_KEYS, Settings, nearest


def check_tables(
    settings: Settings, declared: Sequence[Offer[SettingSpec]], catalog: Catalog
) -> Mapping[str, Struct]:
    """The tables that active plugins declare, by name, each as its model; an absent one as empty.

    Raises `ConfigError` for a table that nobody declares, a key that is unknown or missing, and a
    wrong value, without showing values.
    """
    refuse_duplicates(declared)
    names = [offer.name for offer in declared]
    for name in settings.tables:
        if name not in names:
            raise ConfigError(f"{settings.source}: {_undeclared(name, names, catalog)}")
    return {
        offer.name: _convert(offer, settings.tables.get(offer.name, {}), settings.source)
        for offer in declared
    }


def _undeclared(name: str, declared: Sequence[str], catalog: Catalog) -> str:
    for offer in catalog.find(SettingSpec, name):
        return (
            f"the table [{name}] belongs to the plugin {offer.plugin.title}, which is not active; "
            f'add plugins = ["{offer.plugin.name}"] or name what it brings'
        )
    for record in catalog.plugins:
        if record.error and (record.name == name or f"setting {name}" in record.offers):
            return (
                f"the table [{name}] belongs to the plugin {record.title}, "
                f"which is broken: {record.error}"
            )
    if name in PACKAGES:
        return f"nobody reads the table [{name}]; pip install {PACKAGES[name]}"
    known = [*declared, *TOP_KEYS, "connections"]
    return f"no active plugin reads the table [{name}]; {nearest(name, known)}"


def _convert(offer: Offer[SettingSpec], table: Mapping[str, object], source: str) -> Struct:
    where = f"{source}, [{offer.name}]"
    model = cast("type[Struct]", load_class(offer, offer.spec.model, Struct))
    for key in table:
        if key not in model.__struct_encode_fields__:
            hint = nearest(key, model.__struct_encode_fields__)
            raise ConfigError(f"{where}: there is no setting {key!r}; {hint}")
    try:
        return convert(dict(table), model)
    except ValidationError as error:
        raise ConfigError(f"{where}: {error}") from None
