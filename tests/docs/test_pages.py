"""The Python blocks of the pages run, and the commands that they show exist.

```python           runs; the blocks of a page share one module, in their order
```python no-run    does not
```console          a line that begins with "$ packhorse" is a command with its options
"""

import os
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import click
import pytest

from packhorse import Packhorse, current
from packhorse.cli import main
from tests.docs.pages import PAGES, ROOT, blocks


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, no settings but a URL, and no app yet."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PACKHORSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PACKHORSE_URL", "memory://")
    monkeypatch.setattr(current, "_default", None)
    monkeypatch.setattr(current, "_implicit", False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.usefixtures("newcomer")
def test_the_python_of_a_page_runs(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A module of its own, which `typing` finds by its name when it reads a class's annotations.
    module = ModuleType("page_" + "_".join(page.relative_to(ROOT).with_suffix("").parts))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    try:
        for block in blocks(page, "python"):
            # Empty lines before it: a traceback then names the line of the page.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), vars(module))
    finally:
        for app in [value for value in vars(module).values() if isinstance(value, Packhorse)]:
            app.close()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.usefixtures("newcomer")
def test_the_commands_of_a_page_exist(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PACKHORSE_PLUGINS", "encryption")  # whose commands are shown too
    text = page.read_text()
    shown = [line for block in blocks(page, "console") for line in block.text.splitlines()]
    commands = [line.removeprefix("$ ") for line in shown if line.startswith("$ packhorse ")]
    commands += re.findall(r"`(packhorse [^`…]+)`", text)
    for command in commands:
        check(shlex.split(command)[1:], command)


def check(words: list[str], whole: str) -> None:
    """Fails for a command or an option that the command line does not have."""
    if words[0].isupper():
        return  # a placeholder
    command: click.Command = main
    context = click.Context(main, info_name="packhorse")
    options = {*names(command, context)}
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, f"there is no command: {whole}"
        command, context = found, click.Context(found, parent=context)
        options |= names(command, context)
    unknown = [word for word in words if word.startswith("-") and word not in options]
    assert not unknown, f"{unknown} in: {whole}"


def names(command: click.Command, context: click.Context) -> set[str]:
    return {name for one in command.get_params(context) for name in one.opts}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_finds_its_heading(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^):#]*)#([^)]+)\)", page.read_text()):
        there = page.parent / target if target else page
        headings = re.findall(r"^#+ (.*)$", there.read_text(), re.MULTILINE)
        anchors = [re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings]
        assert anchor in anchors, f"{target}#{anchor}"
