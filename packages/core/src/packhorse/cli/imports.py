"""Imports the modules with the jobs, and says in one line what is wrong with one that fails."""

import os
import sys
import traceback
from collections.abc import Iterable
from importlib import import_module

from packhorse.errors import ConfigError


def import_jobs(modules: Iterable[str]) -> None:
    """Imports modules by name; raises `ConfigError` for the first that cannot be."""
    for name in modules:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise _broken(name, error) from error
            hint = f"; write {name[:-3]}, without .py" if name.endswith(".py") else ""
            raise ConfigError(
                f"there is no module {name!r} to import, neither in this folder nor on the "
                f"Python path{hint}"
            ) from error
        except (Exception, SystemExit) as error:
            raise _broken(name, error) from error


def _broken(name: str, error: BaseException) -> ConfigError:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")][1:]
    place = ""
    if own and not isinstance(error, SyntaxError):  # which says where it is itself
        place = f" ({_shown(_blamed(own).filename)}, line {_blamed(own).lineno})"
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return ConfigError(f"the module {name!r} cannot be imported: {text}{place}")


def _blamed(frames: list[traceback.FrameSummary]) -> traceback.FrameSummary:
    """The last frame in code that is neither Python's own nor installed."""
    installed = (sys.prefix, sys.base_prefix)
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    own = [each for each in frames if not each.filename.startswith((*installed, package))]
    return (own or frames)[-1]


def _shown(path: str) -> str:
    below = os.path.relpath(path)
    return path if below.startswith("..") else below
