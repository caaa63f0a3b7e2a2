"""What is installed is what the tree says, and each member declares what it imports."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions

from tests.packaging.members import MEMBERS, Member, requirement_name


def test_the_installed_entry_points_are_those_of_the_tree(member: Member) -> None:
    groups = dict(member.project.get("entry-points", {}))
    if "scripts" in member.project:
        groups["console_scripts"] = member.project["scripts"]
    declared = {(group, *item) for group, items in groups.items() for item in items.items()}
    installed = {(e.group, e.name, e.value) for e in distribution(member.name).entry_points}
    assert installed == declared, (
        f"{member.name} is installed with entry points other than those in "
        f"{member.folder.name}/pyproject.toml: run `hatch env prune`"
    )


def test_every_entry_point_imports(member: Member) -> None:
    for entry_point in distribution(member.name).entry_points:
        assert entry_point.load() is not None


def test_it_imports_only_what_it_declares(member: Member) -> None:
    """All members share one environment, so an undeclared import would pass unnoticed there."""
    owners = {**packages_distributions(), **{other.package: [other.name] for other in MEMBERS}}
    allowed = member.dependencies | {member.name}
    strangers = [
        f"{place} imports {package}"
        for place, package in imports_of(member)
        if package not in sys.stdlib_module_names
        and allowed.isdisjoint(requirement_name(owner) for owner in owners.get(package, ["?"]))
    ]
    assert strangers == []


def test_core_imports_no_other_member() -> None:
    [core] = [member for member in MEMBERS if member.name == "packhorse"]
    others = {member.package for member in MEMBERS} - {core.package}
    assert others, "the workspace has add-ons"
    assert [place for place, package in imports_of(core) if package in others] == []


def imports_of(member: Member) -> Iterator[tuple[str, str]]:
    """Where each import stands and the top-level package that it is of."""
    for path in sorted(member.source.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            else:
                continue
            for name in names:
                place = f"{path.relative_to(member.folder)}:{node.lineno}"
                yield place, name.partition(".")[0]
