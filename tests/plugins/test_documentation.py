"""The page for plugin authors has every hook, with its signature and an example that works."""

import inspect
import re
import textwrap
from pathlib import Path
from types import ModuleType

import pytest

from packhorse.plugin import hookspecs
from packhorse.plugin.catalog import HOOKS, collect
from packhorse.plugin.discovery import Plugin

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()
SECTIONS = dict(re.findall(r"^### `([^`]+)`\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def signature(hook: str) -> str:
    """A hook's signature as its heading shows it."""
    return f"{hook}{inspect.signature(getattr(hookspecs, hook))}".replace("'", "")


def example(section: str) -> str:
    """The one code block of a section."""
    (block,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return str(block)


def test_the_page_has_the_hooks_and_no_others() -> None:
    assert list(SECTIONS) == [signature(hook) for hook in vars(hookspecs) if hook in HOOKS]


@pytest.mark.parametrize("hook", HOOKS)
def test_the_example_declares_what_the_hook_asks_for(hook: str) -> None:
    module = ModuleType("example")
    exec(example(SECTIONS[signature(hook)]), vars(module))
    catalog = collect((Plugin("example", module=module),))
    assert catalog.plugins[0].error is None
    assert {type(offer.spec) for offer in catalog.offers} == {HOOKS[hook]}


@pytest.mark.parametrize("hook", HOOKS)
def test_the_docstring_says_the_same(hook: str) -> None:
    doc = inspect.getdoc(getattr(hookspecs, hook)) or ""
    text, _, code = doc.partition("\n\n    from packhorse.plugin import ")
    section = SECTIONS[signature(hook)]
    assert text in section
    assert textwrap.dedent(f"    from packhorse.plugin import {code}") == example(section).rstrip()
