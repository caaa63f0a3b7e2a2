"""A process that only dispatches pays for nothing that it does not use."""

import subprocess
import sys
from pathlib import Path

DISPATCH = """
from packhorse import Packhorse, job

@job(name="greet")
def greet(name: str) -> None: ...

Packhorse({url!r})
greet.dispatch("mule")
"""


def modules_after(program: str) -> set[str]:
    """The modules that a fresh interpreter has imported at the end of a program."""
    program += "\nimport sys; print(*sys.modules, sep='\\n')"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def found(modules: set[str], *packages: str) -> list[str]:
    """The modules that are one of the packages or lie in it."""
    return sorted(m for m in modules if any(m == p or m.startswith(f"{p}.") for p in packages))


HEAVY = ("asyncio", "click", "concurrent.futures", "rich")
OTHER_ROOMS = ("packhorse.cli", "packhorse.testing", "packhorse.worker")


def test_importing_packhorse() -> None:
    modules = modules_after("import packhorse")
    scanning = ("importlib.metadata", "pluggy")
    assert "packhorse" in modules
    assert found(modules, *HEAVY, *OTHER_ROOMS, *scanning, "packhorse_sql", "sqlalchemy") == []


def test_dispatching_to_memory() -> None:
    modules = modules_after(DISPATCH.format(url="memory://"))
    assert "packhorse.driver.memory" in modules
    assert found(modules, *HEAVY, *OTHER_ROOMS, "sqlalchemy") == []


def test_dispatching_to_sqlite(tmp_path: Path) -> None:
    """SQLAlchemy itself imports asyncio, so that is no matter here."""
    modules = modules_after(DISPATCH.format(url=f"sqlite:///{tmp_path}/jobs.db"))
    assert "packhorse_sql.driver" in modules
    assert found(modules, "click", "rich", *OTHER_ROOMS) == []


def test_a_plugin_is_declared_without_its_client_library() -> None:
    modules = modules_after("import packhorse_sql.plugin")
    assert "packhorse_sql.plugin" in modules
    assert found(modules, *HEAVY, *OTHER_ROOMS, "packhorse_sql.driver", "sqlalchemy") == []
