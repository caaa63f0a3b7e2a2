"""The page on settings has every key and every variable, with its type and default."""

import re
from pathlib import Path

import pytest

from packhorse.settings import (
    CONNECTION_KEYS,
    TOP_KEYS,
    VARIABLES,
    ConnectionSettings,
    Settings,
)

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()


@pytest.mark.parametrize(
    ("heading", "keys", "model"),
    [
        ("## The top level", TOP_KEYS, Settings),
        ("## `[connections.NAME]`", CONNECTION_KEYS, ConnectionSettings),
    ],
)
def test_every_key_is_documented(
    heading: str, keys: tuple[str, ...], model: type[Settings] | type[ConnectionSettings]
) -> None:
    own = {"connections", "routes", "tables", "source", "options"}
    assert set(keys) == set(model.__struct_fields__) - own
    section = PAGE.split(heading)[1].split("\n## ")[0]
    documented = re.findall(r"^\| `(\w+)` \| \S.*? \| \S.*? \|", section, re.MULTILINE)
    assert tuple(documented) == keys


def test_every_variable_is_documented() -> None:
    section = PAGE.split("## Variables")[1]
    assert set(re.findall(r"`(PACKHORSE_[A-Z]+)`", section)) == set(VARIABLES)
    rows = dict(re.findall(r"^\| `(\w+)` \|.*?`(PACKHORSE_\w+)`", PAGE, re.MULTILINE))
    keyed = {key: variable for variable, key in VARIABLES.items() if key != "config"}
    assert rows == keyed
