"""Each contender's own environment, made by uv under `.venvs`, of the newest releases that pip finds."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / ".venvs"

_VERSIONS = """
import importlib.metadata, json, sys
print(json.dumps({name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


class Environment:
    """The environment of one contender, or of what else must not be in ours.

    A requirement that is a folder of this project is installed as it stands and follows every change.
    """

    def __init__(self, name: str, requires: Sequence[str]) -> None:
        self.name = name
        self._requires = requires
        self._folder = FOLDER / name
        self.programs = self._folder / "bin"

    def make(self) -> None:
        """Makes it if it is not there."""
        if (self._folder / "made").exists():
            return
        print(f"making the environment of {self.name}", flush=True)
        uv = os.environ.get("HATCH_UV") or shutil.which("uv")
        if uv is None:
            raise RuntimeError("the environments of the peers are made by uv: `pip install uv`")
        python = str(self.programs / "python")
        shutil.rmtree(self._folder, ignore_errors=True)
        subprocess.run([uv, "venv", "-q", "--python", sys.executable, self._folder], check=True)
        install = [uv, "pip", "install", "-q", "--compile-bytecode", "--python", python]
        for one in self._requires:
            install += ["-e", str(ROOT / one)] if (ROOT / one).is_dir() else [one]
        subprocess.run(install, check=True)
        (self._folder / "made").touch()

    def versions(self, reports: Sequence[str]) -> dict[str, str]:
        """The installed versions of what was asked for, and of `reports`."""
        asked = [Path(one).name for one in self._requires if not (ROOT / one).is_dir()]
        names = [re.split(r"[\[<>=!]", one)[0] for one in asked] + list(reports)
        told = self.run("-c", _VERSIONS, *names)
        return {str(name): str(version) for name, version in json.loads(told).items()}

    def variables(self, **more: str) -> dict[str, str]:
        """The variables of its processes: those of ours, its programs first, and `more`."""
        path = f"{self.programs}:{os.environ['PATH']}"
        python = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        return {**os.environ, "PATH": path, **python, **more}

    def run(self, *words: str, within: float | None = None, **more: str) -> str:
        """Runs its Python in the project's folder and gives what that prints; `more` are variables."""
        done = subprocess.run(
            [self.programs / "python", *words],
            cwd=ROOT,
            env=self.variables(**more),
            capture_output=True,
            text=True,
            timeout=within,
        )
        if done.returncode:
            said = done.stderr.strip()[-1500:]
            raise RuntimeError(f"{self.name}: {' '.join(words)} failed: {said}")
        return done.stdout
