"""The registry: one job a name, and names that do not depend on how a program was started."""

import subprocess
import sys
from pathlib import Path

import pytest

from packhorse import Job, JobDefinitionError, Packhorse, UnknownJob, job, registry


def test_a_job_is_found_by_its_name_and_its_aliases() -> None:
    @job(name="new", aliases=["old", "older"])
    def renamed() -> None: ...

    for name in ("new", "old", "older"):
        assert registry.find(name) is renamed.definition
    assert "new" in registry.names()
    assert "old" not in registry.names()
    assert registry.find("other") is None


def test_its_default_name_is_module_and_qualified_name() -> None:
    @job
    def plain() -> None: ...

    class Plain(Job):
        def handle(self) -> None: ...

    here = f"{__name__}.test_its_default_name_is_module_and_qualified_name.<locals>"
    assert plain.definition.name == f"{here}.plain"
    assert Plain.definition.name == f"{here}.Plain"


@pytest.mark.parametrize("taken", [{"name": "taken"}, {"aliases": ["taken"]}])
def test_two_jobs_of_one_name_are_refused(taken: dict[str, object]) -> None:
    @job(name="taken")
    def first() -> None: ...

    def second() -> None: ...

    with pytest.raises(JobDefinitionError) as caught:
        job(**taken)(second)  # type: ignore[call-overload]
    text = str(caught.value)
    assert text.startswith("two jobs are called 'taken': ")
    assert "first" in text
    assert "second" in text
    assert text.endswith("give one of them another name=")
    assert registry.find("taken") is first.definition


def test_a_module_that_is_loaded_again_puts_its_jobs_in_place_of_the_old_ones() -> None:
    def load() -> object:
        @job(name="again")
        def loaded() -> None: ...

        return loaded.definition

    first, second = load(), load()
    assert first is not second
    assert registry.find("again") is second


def test_a_message_is_sent_under_the_name_and_not_under_an_alias() -> None:
    @job(name="new", aliases=["old"])
    def renamed() -> None: ...

    with Packhorse("memory://") as app:
        handle = renamed.dispatch()
        assert handle.job == "new"
        found = app.queue().get(handle.id)
    assert found is not None
    assert found.job == "new"


def test_an_alias_runs(tmp_path: Path) -> None:
    ran = []

    @job(name="new", aliases=["old"])
    def renamed(a: int) -> None:
        ran.append(a)

    with Packhorse("sync://") as app:
        app.queue().push_raw("old", {"a": 1})
        with pytest.raises(
            UnknownJob, match="no registered job is called 'older'; import its module"
        ):
            app.queue().push_raw("older", {"a": 1})
    assert ran == [1]


PROGRAM = """
from packhorse import Job, job

@job
def work() -> None: ...

class Work(Job):
    def handle(self) -> None: ...

if __name__ == "__main__":
    print(work.definition.name, Work.definition.name)
"""


def run(folder: Path, *arguments: str, program: str | None = None) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        input=program,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    for name in ("tasks.py", "shop/__main__.py", "shop/tasks.py"):
        (tmp_path / name).write_text(PROGRAM)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "module"),
    [
        (["tasks.py"], "tasks"),
        (["shop/tasks.py"], "tasks"),
        (["-m", "tasks"], "tasks"),
        (["-m", "shop.tasks"], "shop.tasks"),
        (["-m", "shop"], "shop"),
        (["-c", PROGRAM], "__main__"),
    ],
)
def test_a_program_that_is_started_names_its_jobs_as_if_it_were_imported(
    folder: Path, arguments: list[str], module: str
) -> None:
    assert run(folder, *arguments) == f"{module}.work {module}.Work"


def test_a_program_may_be_started_and_imported_at_once(folder: Path) -> None:
    """A script whose modules import it again defines its jobs twice, and they are the same."""
    (folder / "other.py").write_text("import tasks")
    (folder / "tasks.py").write_text(PROGRAM + "    import other\n    print('fine')\n")
    assert run(folder, "tasks.py").endswith("fine")
    assert run(folder, "-m", "tasks").endswith("fine")
