"""Finds the fenced blocks of the documentation's pages."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("packages/*/README.md")),
    *sorted(ROOT.glob("examples/*/README.md")),
]


class Block(NamedTuple):
    """A fenced block: what stands after its fence, its text, and the line at which that begins."""

    info: str
    text: str
    line: int


def blocks(page: Path, info: str) -> Iterator[Block]:
    """The blocks of a page whose fence says exactly `info`."""
    text = page.read_text()
    for found in re.finditer(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if found[1].strip() == info:
            yield Block(found[1], found[2], text.count("\n", 0, found.start(2)) + 1)


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    level = heading.index(" ")
    text = page.read_text().split(f"\n{heading}\n")[1]
    return re.split(rf"^#{{1,{level}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def column(table: str, number: int = 0) -> list[str]:
    """The code in one column of the tables in a text, without the heads: each `word` in backticks."""
    rows = [line.strip("|").split("|") for line in table.splitlines() if line.startswith("| `")]
    return [word for row in rows for word in re.findall(r"`([^`]+)`", row[number])]
