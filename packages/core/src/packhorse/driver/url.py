"""Connection URLs: read once, shown without their passwords, options checked by name and type."""

import difflib
from collections.abc import Iterable, Mapping
from typing import TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct, ValidationError, convert

from packhorse.errors import ConfigError

T = TypeVar("T")


class Url(Struct, frozen=True, repr_omit_defaults=True):
    """A connection URL in parts; `str()` and `repr()` mask the password and secret options.

    `beside` are the names of settings that stand beside a URL, which an option may be a misspelt one of.
    """

    scheme: str
    host: str = ""
    port: int | None = None
    username: str | None = None
    password: str | None = None
    path: str = ""
    options: Mapping[str, object] = {}
    beside: tuple[str, ...] = ()

    @classmethod
    def parse(
        cls,
        text: str,
        options: Mapping[str, object] | None = None,
        beside: Iterable[str] = (),
    ) -> "Url":
        """Reads a URL; `options` from elsewhere (the connection's settings) win over its query.

        Raises `ConfigError` if it is no URL.
        """
        scheme, separator, _ = text.partition("://")
        if not separator or not scheme:
            raise ConfigError(
                f"{_shorten(text)!r} is no connection URL: it needs a scheme, as in sqlite:///jobs.db"
            )
        try:
            parts = urlsplit("//" + text[len(scheme) + 3 :], allow_fragments=False)
            port = parts.port
        except ValueError:  # its text may hold a part of the password
            raise ConfigError(
                f"the {scheme}:// URL cannot be read: its host or port is malformed "
                "(in a password, write / as %2F, @ as %40, : as %3A, ? as %3F, # as %23)"
            ) from None
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(
            scheme=scheme.lower(),
            host=unquote(parts.hostname or "") if "," not in parts.netloc else parts.netloc,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            path=unquote(parts.path),
            options={**query, **(options or {})},
            beside=tuple(beside),
        )

    def option(self, name: str, type: type[T], default: T) -> T:
        """One option, converted from text where it came from the query; raises `ConfigError`."""
        if name not in self.options:
            return default
        try:
            return convert(self.options[name], type, strict=False)
        except ValidationError as error:
            raise ConfigError(f"option {name!r} of {self}: {error}") from None

    def expect(self, known: Iterable[str]) -> None:
        """Raises `ConfigError` for an option that is not in `known`, naming the nearest one."""
        known = sorted(known)
        for name in self.options:
            if name not in known:
                raise ConfigError(
                    f"{self.scheme}:// has no option {name!r}; {self._hint(name, known)}"
                )

    def _hint(self, name: str, known: list[str]) -> str:
        if name in self.beside:
            return f"{name} is a setting of the connection and stands beside its url"
        near = difflib.get_close_matches(name, [*known, *self.beside], 1)
        return f"did you mean {near[0]!r}?" if near else f"it knows: {', '.join(known) or 'none'}"

    def __str__(self) -> str:
        who = self.username or ""
        if self.password is not None:
            who += ":***"
        at = f"{who}@" if who else ""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.scheme}://{at}{self.host}{port}{self.path}"

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


def _shorten(text: str) -> str:
    text = text if "@" not in text else "…@" + text.rpartition("@")[2]
    return text if len(text) <= 20 else text[:20] + "…"
