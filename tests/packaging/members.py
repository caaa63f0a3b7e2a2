"""The members of the workspace, as their own pyproject files describe them."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Member(NamedTuple):
    """One distribution: its folder, its name, the package in it and its [project] table."""

    folder: Path
    name: str
    package: str
    project: Mapping[str, Any]

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.package

    @property
    def dependencies(self) -> set[str]:
        """The names of all distributions that it declares, in its extras too."""
        extras = self.project.get("optional-dependencies", {}).values()
        lists = [self.project["dependencies"], *extras]
        return {requirement_name(text) for texts in lists for text in texts}


def requirement_name(requirement: str) -> str:
    """The normalized name of what a requirement like `Some_Thing[x]>=1` asks for."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def read(folder: Path) -> Member:
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return Member(folder, project["name"], project["name"].replace("-", "_"), project)


MEMBERS = [read(path.parent) for path in sorted(ROOT.glob("packages/*/pyproject.toml"))]
