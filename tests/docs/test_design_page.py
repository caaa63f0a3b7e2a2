"""The tree in the page on design has every file of the core, and no other."""

import re

from tests.docs.pages import ROOT, section

CORE = ROOT / "packages/core/src/packhorse"
WHOLE = ("cli", "demo", "testing")
"""Rooms that the page names without their files."""


def test_the_tree_is_the_tree() -> None:
    text = section(ROOT / "docs/design.md", "## The rooms of the core")
    rooms: list[str] = []
    told = set()
    for indent, name in re.findall(r"^( {4}| {8}| {12})([\w.]+/?)(?: |$)", text, re.MULTILINE):
        del rooms[len(indent) // 4 - 1 :]
        if name.endswith("/"):
            rooms.append(name)
        else:
            told.add("".join(rooms) + name)
    assert told == {*files()}


def files() -> list[str]:
    every = [file.relative_to(CORE) for file in CORE.rglob("*.py")]
    return [
        str(file)
        for file in every
        if file.parts[0] not in WHOLE and (file.name != "__init__.py" or len(file.parts) == 1)
    ]
