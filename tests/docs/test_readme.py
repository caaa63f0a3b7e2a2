"""The first job in the README runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()


def block(language: str, containing: str) -> str:
    """The one fenced block of the README that is in a language and has a text in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)
    [found] = [text for text in blocks if containing in text]
    return str(found)


def test_the_first_job(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(block("python", "def divide"))
    [url] = re.findall(r"^export PACKHORSE_URL=(\S+)$", block("sh", "PACKHORSE_URL"), re.MULTILINE)
    env = {name: value for name, value in os.environ.items() if not name.startswith("PACKHORSE_")}
    env["PACKHORSE_URL"] = url
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env["PATH"]])
    said = {}
    for line in block("console", "jobs.py").splitlines():
        command = line.removeprefix("$ ")
        done = subprocess.run(
            command.split(),
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said[command] = done.stdout
    assert "84 / 2 = 42.0" in said["packhorse work --import jobs --stop-when-empty"]
    assert "jobs.divide" in said["packhorse failed list"]


def test_every_link_to_a_file_leads_to_one() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("packages/*/README.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []
