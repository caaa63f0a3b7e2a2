"""The Python blocks of the pages run, and the commands that they show exist.

```python           runs; the blocks of a page share one module, in their order
```python no-run    does not
```console          a line that begins with "$ packhorse" is a command with its options
"""

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from packhorse import Packhorse, current
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
