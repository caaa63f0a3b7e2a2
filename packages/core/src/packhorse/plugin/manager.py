"""A typed coat over pluggy: the plugins of one app, registered and asked one by one.

Asking one by one lets every answer, and every failure, be laid at the door of its plugin.
"""

import inspect
from collections.abc import Iterator

import pluggy

from packhorse.errors import PluginError
from packhorse.plugin import hookspecs
from packhorse.plugin.discovery import Plugin
from packhorse.settings import nearest


class Manager:
    """One a app; used while the app is built and not after."""

    def __init__(self) -> None:
        self._pluggy = pluggy.PluginManager(hookspecs.GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self._hooks = sorted(name for name in vars(hookspecs) if name.startswith("packhorse_"))

    def register(self, plugin: Plugin) -> None:
        """Takes a plugin in; raises `PluginError` if one of its hooks is unknown or unfit."""
        module = plugin.module
        functions = dict(inspect.getmembers(module, inspect.isroutine))
        for name in functions:
            if not name.startswith("packhorse_"):
                continue
            options = self._pluggy.parse_hookimpl_opts(module, name)
            if options is None:
                raise PluginError(f"its function {name} lacks the decorator @hookimpl")
            if name not in self._hooks and not options["optionalhook"]:
                raise PluginError(
                    f"this packhorse has no hook {name}; {nearest(name, self._hooks)} "
                    "(a newer packhorse may have it)"
                )
        try:
            self._pluggy.register(module, plugin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"it cannot be registered: {error}") from error

    def ask(self, plugin: Plugin) -> Iterator[tuple[str, object]]:
        """Asks the hooks of a registered plugin, sorted; gives each one's name and its answer."""
        others = [other for other in self._pluggy.get_plugins() if other is not plugin.module]
        for hook in self._hooks:
            mine = self._pluggy.get_hookcallers(plugin.module) or []
            if any(caller.name == hook for caller in mine):
                for answer in self._pluggy.subset_hook_caller(hook, others)():
                    yield hook, answer
