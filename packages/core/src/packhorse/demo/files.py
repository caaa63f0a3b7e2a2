"""Chooses the demo's input: the source files of the Python that runs it."""

import sysconfig
from pathlib import Path

from msgspec import Struct

BROKEN = {
    "undecodable.py": b"# coding: utf-8\nname = '\xff\xfe'\n",
    "unfinished.py": b"def half(a, b:\n",
    "python2.py": b"print 'no parentheses'\n",
}
"""Files that no Python 3 can read, for installations that come without Python's own broken ones."""


class Source(Struct, frozen=True):
    """One file, and the package or module of the library that it belongs to."""

    path: str
    package: str


def library() -> list[Source]:
    """Python's own files, its tests and their broken fixtures too where they are installed."""
    return _below(Path(sysconfig.get_path("stdlib")))


def packages() -> list[Source]:
    """The files of what is installed beside it."""
    return _below(Path(sysconfig.get_path("purelib")))


def _below(root: Path) -> list[Source]:
    skipped = {"site-packages", "dist-packages", "__pycache__"}
    return [
        Source(str(path), path.relative_to(root).parts[0].removesuffix(".py"))
        for path in sorted(root.rglob("*.py"))
        if skipped.isdisjoint(path.relative_to(root).parts)
    ]


def label(path: str) -> str:
    """A file as a table shows it: by its place in the library or in a package, or by its name."""
    place = Path(path)
    for root in (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib")):
        if place.is_relative_to(root):
            return str(place.relative_to(root))
    return place.name


def has_broken_ones(sources: list[Source]) -> bool:
    """Whether Python's tests are there, with files that are broken on purpose."""
    names = [Path(source.path).name for source in sources]
    return sum(name.startswith(("bad_coding", "badsyntax_")) for name in names) >= 2


def plant(folder: Path) -> list[Source]:
    """Writes broken files of the demo's own."""
    folder.mkdir(exist_ok=True)
    for name, data in BROKEN.items():
        (folder / name).write_bytes(data)
    return [Source(str(folder / name), "(planted)") for name in BROKEN]
