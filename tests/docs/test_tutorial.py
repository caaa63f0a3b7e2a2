"""The tutorial, followed from its first line to its last: files written, commands run, output compared.

A block whose first line is `# NAME` is that file; one that says `# NAME, continued` is added to it.
`...` in the output of a command stands for anything.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "tutorial.md").read_text()


@pytest.mark.slow
@pytest.mark.backend("sqlite")
def test_the_tutorial(tmp_path: Path) -> None:
    for kind, text in re.findall(r"^```(\w+)[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        if kind in ("python", "toml"):
            write(tmp_path, text)
        elif kind == "console":
            for command, expected in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", text, re.MULTILINE):
                said = run(tmp_path, command)
                # Jobs that run side by side end in any order.
                missing = [line for line in expected.splitlines() if not shows(said, line)]
                assert not missing, f"$ {command}\n{said}\nthe page has also:\n{missing}"


def shows(said: str, line: str) -> bool:
    """Whether an output has what a line shows; two threads that print at once may share a line."""
    words = [r".*".join(map(re.escape, word.split("..."))) for word in line.split()]
    return re.search(r"\s+".join(words), said) is not None


def write(folder: Path, text: str) -> None:
    head = text.splitlines()[0].removeprefix("# ")
    name, _, continued = head.partition(", ")
    with (folder / name).open("a" if continued else "w") as file:
        file.write(text)


def run(folder: Path, command: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PACKHORSE_")}
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    env["PYTHONDONTWRITEBYTECODE"] = "1"  # a file is rewritten within the same second
    if " ID" in command:
        listed = run(folder, "packhorse failed list --json")
        command = command.replace(" ID", f" {json.loads(listed)[0]['id']}")
    done = subprocess.run(
        command.split(), cwd=folder, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
    return done.stdout
