"""Each member builds a wheel that has all of its own package, and nothing else."""

from email.message import Message
from email.parser import Parser
from zipfile import ZipFile

import pytest

from tests.packaging.members import Member


@pytest.fixture
def metadata(wheel: ZipFile) -> Message:
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return Parser().parsestr(wheel.read(name).decode())


def test_it_holds_its_own_package_and_nothing_else(member: Member, wheel: ZipFile) -> None:
    """Caches that tools leave in the tree are no part of it."""
    files = (path for path in member.source.rglob("*") if path.is_file())
    names = {path.relative_to(member.source.parent).as_posix() for path in files}
    sources = {name for name in names if "__pycache__" not in name and "/." not in name}
    assert f"{member.package}/__init__.py" in sources
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == sources


def test_it_is_typed(member: Member, wheel: ZipFile) -> None:
    assert f"{member.package}/py.typed" in wheel.namelist()


def test_its_page_is_its_own_readme(member: Member, metadata: Message) -> None:
    readme = (member.folder / "README.md").read_text()
    assert readme.startswith(f"# {member.name}\n")
    assert len(readme.splitlines()) > 5
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert str(metadata.get_payload()).strip() == readme.strip()


def test_it_has_the_license(member: Member, wheel: ZipFile, metadata: Message) -> None:
    assert metadata["License-Expression"] == "Apache-2.0"
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    assert wheel.read(name) == (member.folder.parents[1] / "LICENSE").read_bytes()


def test_its_metadata_says_what_it_is(member: Member, metadata: Message) -> None:
    assert metadata["Name"] == member.name
    assert metadata["Summary"] == member.project["description"]
    assert metadata["Requires-Python"] == ">=3.11"
