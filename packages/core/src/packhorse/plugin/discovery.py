"""Finds the installed plugins: a loop of its own over the entry points of the group `packhorse`.

One that cannot be imported becomes a record that says why; the others go on.
"""

from collections.abc import Collection

from msgspec import Struct, structs

from packhorse.plugin.hookspecs import GROUP


class Plugin(Struct, frozen=True, eq=False):
    """An installed plugin, working or not.

    `name` is that of its entry point. `module` is what holds its hooks, None if it could not be
    imported. A broken one has its `error` in a line, and the `cause` if there was an exception.
    `offers` are what it declares, as in "driver redis".
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: object | None = None
    error: str | None = None
    cause: BaseException | None = None
    offers: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The plugin as an error names it: `'redis' (packhorse-redis 1.0)`."""
        package = f"{self.distribution} {self.version}".strip()
        return f"{self.name!r} ({package})" if package else repr(self.name)


Plugins = tuple[Plugin, ...]
"""What is installed, sorted by name."""

CORE = "core"


def core() -> Plugin:
    """The core's own offers, as a plugin; it cannot be blocked."""
    from packhorse.plugin import builtin

    return Plugin(CORE, "packhorse", module=builtin)


def with_version(plugin: Plugin) -> Plugin:
    """The same plugin with the version of its distribution, which takes as long as `discover`."""
    from importlib.metadata import version

    return structs.replace(plugin, version=version(plugin.distribution))


def discover(block: Collection[str] = ()) -> Plugins:
    """Imports every installed plugin but those named in `block`; never raises.

    Reading the metadata of everything installed takes some tens of milliseconds, so an app that
    gets along with what the core brings does not ask.
    """
    from importlib.metadata import entry_points  # 30 ms

    points = sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value))
    found = []
    for point in points:
        if point.name in block:
            continue
        distribution = point.dist.name if point.dist is not None else ""
        version = point.dist.version if point.dist is not None else ""
        same = [other for other in points if other.name == point.name and other is not point]
        module, error, cause = None, None, None
        if point.name == CORE:
            error = f"its entry point must not be called {CORE!r}"
        elif same:
            others = ", ".join(other.dist.name if other.dist else other.value for other in same)
            error = f"{others} brings a plugin of the same name; uninstall one of them"
        else:
            try:
                module = point.load()
            except (Exception, SystemExit) as failure:
                cause = failure
                error = f"it cannot be imported: {in_a_line(failure)}"
        found.append(Plugin(point.name, distribution, version, module, error, cause))
    return tuple(found)


def in_a_line(error: BaseException) -> str:
    """An exception's type and the first line of its text."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]
