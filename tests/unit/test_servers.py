"""`scripts/servers.py` finds what is there, installs what it can and says what it cannot."""

import os
from pathlib import Path

import pytest

from scripts.servers import SERVERS, Server, main

APT_GET = """#!/bin/sh
echo "$@" >> {folder}/calls
if [ "$1" = install ]; then touch {folder}/installed; fi
"""
PASSES_ON = """#!/bin/sh
exec "$@"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty machine: nothing on the PATH but `env` and a shell's own commands."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("env", "sh", "touch"):
        (programs / name).symlink_to(next(path for path in find_all(name) if path.exists()))
    monkeypatch.setenv("PATH", str(programs))
    return tmp_path


def find_all(name: str) -> list[Path]:
    return [Path(folder) / name for folder in os.environ["PATH"].split(os.pathsep)]


def program(folder: Path, name: str, text: str) -> None:
    path = folder / "bin" / name
    path.write_text(text.format(folder=folder))
    path.chmod(0o755)


def mule(folder: Path, apt: str | None = "mule-server") -> Server:
    """A server that is there when the fake apt-get has installed it."""

    def find() -> str | None:
        return "mule 1.0" if (folder / "installed").exists() else None

    return Server("Mule", find, apt, advice="see the mule's own pages")


def test_what_is_there_is_named_and_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(folder, "apt-get", APT_GET)
    (folder / "installed").touch()
    assert main([mule(folder)]) == 0
    assert capsys.readouterr().out == "Mule: mule 1.0\n"
    assert not (folder / "calls").exists()


def test_what_is_missing_is_installed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(folder, "apt-get", APT_GET)
    program(folder, "sudo", PASSES_ON)
    assert main([mule(folder)]) == 0
    assert "installing mule-server" in capsys.readouterr().out
    assert (folder / "calls").read_text().splitlines() == [
        "update --quiet",
        "install --yes --no-install-recommends mule-server",
    ]


def test_without_apt_it_says_what_to_do(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([mule(folder)]) == 1
    assert capsys.readouterr().err == "Mule is missing: see the mule's own pages\n"


def test_a_server_that_apt_does_not_bring_is_not_asked_of_apt(folder: Path) -> None:
    program(folder, "apt-get", APT_GET)
    assert main([mule(folder, apt=None)]) == 1
    assert not (folder / "calls").exists()


def test_an_installation_that_brings_nothing_is_a_failure(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(folder, "apt-get", "#!/bin/sh\nexit 100\n")
    program(folder, "sudo", PASSES_ON)
    assert main([mule(folder)]) == 1
    assert "Mule is missing" in capsys.readouterr().err


def test_this_machine_has_what_the_tests_need() -> None:
    assert main(SERVERS) == 0
