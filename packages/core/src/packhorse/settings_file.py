"""A file of settings: packhorse.toml, or pyproject.toml with its table [tool.packhorse]."""

import os
from collections.abc import Mapping

from packhorse.errors import ConfigError


def find(
    config: str | os.PathLike[str] | Mapping[str, object] | None,
    environ: Mapping[str, str],
    folder: str,
) -> tuple[Mapping[str, object], str]:
    """What is configured, and where that stands: as given, by `PACKHORSE_CONFIG`, or in the folder.

    Empty, and "", if there is nothing. Raises `ConfigError` for a file that cannot be read.
    """
    if isinstance(config, Mapping):
        return config, "the config given"
    named = os.fspath(config) if config is not None else environ.get("PACKHORSE_CONFIG")
    if named:
        path = os.path.join(folder, named)
        table = _read(path)
        if table is None:
            raise ConfigError(f"{path} has no table [tool.packhorse]")
        return table, path
    for name in ("packhorse.toml", "pyproject.toml"):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            table = _read(path)
            if table is not None:
                return table, path
    return {}, ""


def _read(path: str) -> Mapping[str, object] | None:
    """What a file says to packhorse; None for a pyproject.toml that does not mention it."""
    import tomllib  # 12 ms, which a process that is given a URL does not pay

    try:
        with open(path, "rb") as file:
            whole: dict[str, object] = tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text, as TOML must be") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not TOML: {error}") from error
    if os.path.basename(path) != "pyproject.toml":
        return whole
    tool = whole.get("tool")
    table = tool.get("packhorse") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{path}: tool.packhorse must be a table")
    return table
