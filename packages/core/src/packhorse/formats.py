"""The codecs and serializers that an app uses, each made when it is first asked for."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from packhorse import registry
from packhorse.settings import Settings
from packhorse.wire.serializer import JSON, Serializer

if TYPE_CHECKING:
    from packhorse.plugin.wiring import Wiring
    from packhorse.wire.codec import Codec


class Formats:
    """By name; raises `PluginError` for what cannot be had. May be used from any thread."""

    def __init__(self, settings: Settings, wiring: "Callable[[], Wiring]") -> None:
        self._settings = settings
        self._wiring = wiring
        self._codecs: dict[str, Codec] = {}
        self._serializers: dict[str, Serializer] = {"json": JSON}

    def codec(self, name: str) -> "Codec":
        """The codec of this name, made from its table of the settings."""
        found = self._codecs.get(name)
        if found is None:
            made = self._wiring().codec(name, self._settings.tables.get(name, {}))
            found = self._codecs.setdefault(name, made)
        return found

    def known_codecs(self) -> "Mapping[str, Codec]":
        """The codecs that connections and jobs name; a message that needs another is not opened."""
        named = {name for one in self._settings.connections.values() for name in one.codecs}
        return {name: self.codec(name) for name in named | registry.named_codecs()}

    def serializer(self, name: str) -> Serializer:
        """The serializer of this name."""
        found = self._serializers.get(name)
        if found is None:
            found = self._serializers.setdefault(name, self._wiring().serializer(name))
        return found
