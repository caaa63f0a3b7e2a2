"""Imports what an offer names, and checks that it is what it says."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from packhorse.errors import PluginError
from packhorse.plugin.catalog import Offer
from packhorse.plugin.importing import import_string
from packhorse.plugin.specs import ListenerSpec
from packhorse.settings import nearest

if TYPE_CHECKING:
    from packhorse.events.types import Event

S = TypeVar("S", bound=Struct)


def load_callable(offer: Offer[S], text: str) -> Callable[..., object]:
    """Something to call; raises `PluginError` that names the plugin."""
    thing = _load(offer, text)
    if not callable(thing):
        raise blame(offer, f"{text} is not callable")
    return thing


def load_class(offer: Offer[S], text: str, base: type) -> type:
    """A subclass of `base`; raises `PluginError` that names the plugin."""
    thing = _load(offer, text)
    if not (isinstance(thing, type) and issubclass(thing, base)):
        raise blame(offer, f"{text} is no subclass of {base.__name__}")
    return thing


def load_events(offer: Offer[ListenerSpec]) -> "list[type[Event]]":
    """The event classes that a listener names; raises `PluginError` that names the nearest."""
    from packhorse.events import types

    found = []
    for name in offer.spec.events:
        event = getattr(types, name, None)
        if not (isinstance(event, type) and issubclass(event, types.Event)):
            known = [each for each in vars(types) if each[0].isupper()]
            raise blame(offer, f"there is no event {name!r}; {nearest(name, known)}")
        found.append(event)
    return found


def blame(offer: Offer[S], problem: str) -> PluginError:
    """The error for an offer that does not keep what it promised."""
    return PluginError(f"{offer.title} cannot be used: {problem}")


def _load(offer: Offer[S], text: str) -> object:
    try:
        return import_string(text)
    except PluginError as error:
        raise blame(offer, str(error)) from error.__cause__
