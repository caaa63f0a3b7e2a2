"""Gives each test a member of the workspace, and builds each member's wheel once a run."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.members import MEMBERS, Member


@pytest.fixture(scope="session", params=MEMBERS, ids=lambda member: member.name)
def member(request: pytest.FixtureRequest) -> Member:
    assert isinstance(request.param, Member)
    return request.param


@pytest.fixture(scope="session")
def wheel(member: Member, tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    """The member's wheel, built as for a release, but with the build backend at hand."""
    folder: Path = tmp_path_factory.mktemp(member.package)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=member.folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.glob("*.whl")
    return ZipFile(path)
