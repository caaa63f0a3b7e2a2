"""Which jobs run in a process of their own, and where such a process finds them."""

import ast
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.definition import Definition
from packhorse.worker.policy import read_overrides

if TYPE_CHECKING:
    from packhorse.worker.execution import Execution


class Place(Struct, frozen=True):
    """The module to import for a job; the `file` that holds it, if that ran as a script."""

    module: str
    file: str | None = None


def runs_alone(execution: "Execution") -> bool:
    """Whether a job is to run in a process of its own: because it says so, or was lost before.

    One that was lost is not held up by a module that another process cannot import, and where messages
    end with the process it was not lost with one.
    """
    lost = execution.delivery.deliveries > 1 or execution.envelope.lost
    if lost and not execution.site.connection.driver.local:
        return isinstance(place_of(execution.definition), Place) or _asked(execution)
    return _asked(execution)


def _asked(execution: "Execution") -> bool:
    """As `using`, the job's method, its keyword says."""
    body, definition = execution.body, execution.definition
    if body is None:
        return False
    try:
        if "isolate" in body.overrides:
            return bool(read_overrides(definition.name, body.overrides).isolate)
        if "isolate" in definition.methods:
            return bool(definition.option("isolate", execution.fresh_arguments()))
    except BaseException:
        return False  # whoever runs it finds the same, and fails it for that
    return bool(definition.options.isolate)


@functools.cache
def place_of(definition: Definition) -> Place | str:
    """Where another process finds a job, or why it cannot."""
    if "<locals>" in definition.origin:
        return "it is defined inside a function, where another process cannot find it"
    if definition.module != "__main__":
        return Place(definition.module)
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    if file is None or not os.path.isfile(file):
        return "it is defined in a session or a command, and not in a file that can be imported"
    if not _is_guarded(Path(file)):
        return (
            f"it is defined in {file}, which another process cannot import without running it: put "
            'what starts things there under if __name__ == "__main__":'
        )
    if spec is not None:
        return Place(spec.name)
    name = os.path.splitext(os.path.basename(file))[0]
    return Place(name, os.path.abspath(file))


def _is_guarded(file: Path) -> bool:
    """Whether a script tells being run from being imported."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return False
    tests = [node.test for node in tree.body if isinstance(node, ast.If)]
    return any(
        isinstance(part, ast.Name) and part.id == "__name__"
        for test in tests
        for part in ast.walk(test)
    )
