"""Settings: read from a file, the environment and keywords, and checked key by key.

`docs/settings.md` lists every key. Who wins: keywords, then the environment, then the file.
"""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, NamedTuple, TypedDict, Unpack

from msgspec import Meta, Struct, ValidationError, convert

from packhorse.driver.url import Url
from packhorse.errors import ConfigError
from packhorse.forwarding import resolve
from packhorse.routes import Name, Route
from packhorse.settings_file import find

Seconds = Annotated[float, Meta(gt=0, le=1e9)]
Count = Annotated[int, Meta(ge=0)]


class ConnectionSettings(Struct, frozen=True, kw_only=True):
    """One configured connection: `[connections.NAME]`.

    `queue` is where jobs go that name none, `lease` is in seconds, `store` another connection's
    name or a URL (None: the connection's own store), `forward` gives for names of queues those that
    they stand for, `options` is what is left for the driver.
    """

    url: Name
    queue: Name = "default"
    lease: Seconds = 30.0
    store: Name | None = None
    codecs: tuple[Name, ...] = ()
    serializer: Name = "json"
    forward: Mapping[Name, Name] = {}
    options: Mapping[str, object] = {}

    def __repr__(self) -> str:
        return f"ConnectionSettings({self.url.partition('://')[0]}://…)"


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of an app; `tables` are the plugins' own, `source` says where all came from.

    `routes` says where jobs go, by the job's name or, as in `"shop.mail.*"`, by the start of it;
    `queues` gives the connection of queues that are not on the default one.
    """

    default: Name = "main"
    connections: Mapping[str, ConnectionSettings] = {}
    imports: tuple[Name, ...] = ()
    plugins: tuple[Name, ...] = ()
    block: tuple[Name, ...] = ()
    strict: bool = False
    unknown_job_limit: Count = 10
    routes: Mapping[Name, Route] = {}
    queues: Mapping[Name, Name] = {}
    tables: Mapping[str, Mapping[str, object]] = {}
    source: str = ""

    def __repr__(self) -> str:
        return f"Settings(from {self.source}, connections {', '.join(self.connections)})"


class Keywords(TypedDict, total=False):
    """Settings as keywords; those of a connection are for the default one."""

    default: str
    imports: Sequence[str]
    plugins: Sequence[str]
    block: Sequence[str]
    strict: bool
    unknown_job_limit: int
    queues: Mapping[str, str]
    queue: str
    lease: float
    store: str | None
    codecs: Sequence[str]
    serializer: str
    forward: Mapping[str, str]


TOP_KEYS = ("default", "imports", "plugins", "block", "strict", "unknown_job_limit", "queues")
CONNECTION_KEYS = ("url", "queue", "lease", "store", "codecs", "serializer", "forward")
VARIABLES = {
    "PACKHORSE_CONFIG": "config",
    "PACKHORSE_URL": "url",
    "PACKHORSE_DEFAULT": "default",
    "PACKHORSE_IMPORTS": "imports",
    "PACKHORSE_PLUGINS": "plugins",
    "PACKHORSE_BLOCK": "block",
    "PACKHORSE_STRICT": "strict",
}
_TOP_TYPES = {key: Settings.__annotations__[key] for key in TOP_KEYS}
_CONNECTION_TYPES = {key: ConnectionSettings.__annotations__[key] for key in CONNECTION_KEYS}
_ROUTE_TYPES = dict.fromkeys(("queue", "connection"), Name)
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
_NOTHING = """no connection is configured; give one in one of these ways:
  export PACKHORSE_URL=sqlite:///jobs.db
or, in packhorse.toml:
  [connections.main]
  url = "sqlite:///jobs.db\""""


class _Layer(NamedTuple):
    """What one source says: checked values, under the names that a file uses."""

    source: str
    top: dict[str, object]
    connections: dict[str, dict[str, object]]
    tables: dict[str, Mapping[str, object]]


def load(
    url: str | None = None,
    config: str | os.PathLike[str] | Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    folder: str | os.PathLike[str] | None = None,
    needs_connection: bool = True,
    **keywords: Unpack[Keywords],
) -> Settings:
    """Reads and checks the settings.

    With `url` there is one connection, `main`, and no file is read. Otherwise `config` is a path to
    a packhorse.toml or pyproject.toml, or a mapping; without it the file of `PACKHORSE_CONFIG`, or
    one of the two in `folder` (default: the current one). Raises `ConfigError` that names file,
    table and key, and for want of a connection where one is needed.
    """
    if url is not None and config is not None:
        raise ConfigError("give Packhorse a URL or a config, not both")
    if url is not None:
        base = _Layer("the URL given", {}, {"main": _connection({"url": url}, "the URL given")}, {})
    else:
        base = _layer(*find(config, environ, os.fspath(folder) if folder is not None else ""))
    variables = _environment(environ, with_connection=url is None)
    said = _typed(keywords, _TOP_TYPES | _CONNECTION_TYPES, "the keyword arguments")
    top = base.top | variables.top | {k: v for k, v in said.items() if k in _TOP_TYPES}
    default = _default(top, base.connections)
    connections = dict(base.connections)
    overlay = variables.connections.get("", {}) | {
        k: v for k, v in said.items() if k in _CONNECTION_TYPES
    }
    if "url" in overlay or (overlay and default in connections):
        connections[default] = connections.get(default, {}) | overlay
    if not connections and needs_connection:
        raise ConfigError(f"{base.source}: {_NOTHING}" if base.source else _NOTHING)
    source = base.source or "PACKHORSE_URL"
    return _compile(source, {**top, "default": default}, connections, base.tables)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error about an unknown name: what it was meant to be, or what there is."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, 1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"there is: {', '.join(known)}" if known else "there is none"


def _layer(given: Mapping[str, object], source: str) -> _Layer:
    top, tables = {}, {}
    for key, value in given.items():
        if isinstance(value, Mapping) and key not in _TOP_TYPES:
            tables[key] = value
        elif key == "connections":
            raise ConfigError(f"{source}: connections must be a table, as in [connections.main]")
        else:
            top[key] = value
    connections: dict[str, dict[str, object]] = {}
    for name, table in tables.pop("connections", {}).items():
        where = f"{source}, [connections.{name}]"
        if not isinstance(table, Mapping):
            raise ConfigError(f"{where} must be a table with a url")
        connections[name] = _connection(table, where)
    for name in tables:
        if difflib.get_close_matches(name, ["connections"]):
            raise ConfigError(f"{source} has no table [{name}]; did you mean [connections.NAME]?")
    checked = _typed(top, _TOP_TYPES, source)
    if "routes" in tables:
        checked["routes"] = _routes(tables.pop("routes"), f"{source}, [routes]")
    return _Layer(source, checked, connections, tables)


def _routes(table: Mapping[str, object], where: str) -> dict[str, object]:
    checked: dict[str, object] = {}
    for name, route in table.items():
        if not isinstance(route, Mapping):
            raise ConfigError(f'{where}: {name} must be a table, as in {{ queue = "mail" }}')
        checked[name] = _typed(route, _ROUTE_TYPES, f"{where}, {name}")
        if not checked[name]:
            raise ConfigError(f"{where}, {name} says neither a queue nor a connection")
    return checked


def _environment(environ: Mapping[str, str], *, with_connection: bool) -> _Layer:
    """The variables that are set and not empty; the connection `""` is the default one.

    Without `with_connection`, those that choose a connection are left out.
    """
    top: dict[str, object] = {}
    connection: dict[str, object] = {}
    for variable, key in VARIABLES.items():
        text = environ.get(variable, "").strip()
        if not text or key == "config" or (key in ("url", "default") and not with_connection):
            continue
        if key == "url":
            connection = _connection({"url": text}, variable)
        elif key == "default":
            top[key] = text
        elif key == "strict":
            if text.lower() not in (*_YES, *_NO):
                raise ConfigError(f"{variable} must be 1 or 0")
            top[key] = text.lower() in _YES
        else:
            top[key] = tuple(part.strip() for part in text.split(",") if part.strip())
    return _Layer("the environment", top, {"": connection} if connection else {}, {})


def _connection(table: Mapping[str, object], where: str) -> dict[str, object]:
    """The core's keys of a connection, checked; what is left are the driver's options."""
    core = {k: v for k, v in table.items() if k in _CONNECTION_TYPES}
    options = {k: v for k, v in table.items() if k not in _CONNECTION_TYPES}
    checked = _typed(core, _CONNECTION_TYPES, where)
    for key in ("url", "store"):
        text = checked.get(key)
        if isinstance(text, str) and (key == "url" or "://" in text):
            try:
                Url.parse(text)
            except ConfigError as error:
                raise ConfigError(f"{where}: {key}: {error}") from None
    return {**checked, "options": options} if options else checked


def _typed(
    given: Mapping[str, object], types: Mapping[str, object], where: str
) -> dict[str, object]:
    """The values, converted to their types; raises for a key that is not in `types`."""
    checked: dict[str, object] = {}
    for key, value in given.items():
        if key not in types:
            raise ConfigError(f"{where}: there is no setting {key!r}; {nearest(key, types)}")
        try:
            checked[key] = convert(value, types[key])
        except ValidationError as error:
            text = str(error).replace("`array`", "a list").replace("`object`", "a table")
            raise ConfigError(f"{where}: {key}: {text[:1].lower()}{text[1:]}") from None
    return checked


def _default(top: Mapping[str, object], connections: Mapping[str, object]) -> str:
    """The default connection's name: as said, or the only one there is, or `main`."""
    if "default" in top:
        return str(top["default"])
    return next(iter(connections)) if len(connections) == 1 else "main"


def _compile(
    source: str,
    top: dict[str, object],
    connections: Mapping[str, Mapping[str, object]],
    tables: Mapping[str, Mapping[str, object]],
) -> Settings:
    if connections and top["default"] not in connections:
        raise ConfigError(
            f"{source}: the default connection {top['default']!r} is not configured; "
            f"{nearest(str(top['default']), connections)} (set `default` to one of them)"
        )
    for name, connection in connections.items():
        where = f"{source}, [connections.{name}]"
        if "url" not in connection:
            raise ConfigError(f'{where} needs a url, as in url = "sqlite:///jobs.db"')
        store = connection.get("store")
        if store is not None and "://" not in str(store):
            _refuse_unknown(str(store), connections, f"{where}: store")
        try:
            resolve(convert(connection.get("forward", {}), dict[str, str]))
        except ValueError as error:
            raise ConfigError(f"{where}: forward goes in a circle: {error}") from None
    try:
        resolve({name: str(one["store"]) for name, one in connections.items() if one.get("store")})
    except ValueError as error:
        raise ConfigError(
            f"{source}: store goes in a circle of connections: {error}; name one that brings a store, "
            'or a URL, as in store = "sqlite:///store.db"'
        ) from None
    for name, route in convert(top.get("routes", {}), dict[str, Route]).items():
        if route.connection is not None:
            _refuse_unknown(route.connection, connections, f"{source}, [routes], {name}")
    for queue, name in convert(top.get("queues", {}), dict[str, str]).items():
        _refuse_unknown(name, connections, f"{source}, [queues], {queue}")
    made = {name: convert(dict(table), ConnectionSettings) for name, table in connections.items()}
    whole = {**top, "connections": made, "tables": dict(tables), "source": source}
    return convert(whole, Settings)


def _refuse_unknown(name: str, connections: Iterable[str], where: str) -> None:
    if name not in connections:
        raise ConfigError(f"{where}: there is no connection {name!r}; {nearest(name, connections)}")
