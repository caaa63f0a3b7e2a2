"""What the demo works on, and what its job finds in it."""

from pathlib import Path

import pytest

from packhorse.demo import files, results
from packhorse.demo.jobs import index_file


def test_the_library_and_what_is_installed_are_apart() -> None:
    library, packages = files.library(), files.packages()
    assert not {source.path for source in library} & {source.path for source in packages}
    assert {"json", "ast"} <= {source.package for source in library}
    assert "pytest" in {source.package for source in packages}
    assert len(library) + len(packages) > 1_000


def test_planted_files_fail_for_real(tmp_path: Path) -> None:
    results.create(str(tmp_path / "results.db"))
    planted = files.plant(tmp_path / "broken")
    assert len(planted) == len(files.BROKEN)
    for source in planted:
        with pytest.raises((SyntaxError, UnicodeDecodeError)):
            index_file(source.path, source.package, str(tmp_path / "results.db"))
    assert results.count(str(tmp_path / "results.db")) == 0


def test_a_file_is_shown_by_its_place() -> None:
    shown = [files.label(source.path) for source in files.library()]
    assert str(Path("json", "decoder.py")) in shown
    assert files.label("/somewhere/else/code.py") == "code.py"


def test_broken_fixtures_are_recognised() -> None:
    theirs = [files.Source(f"/lib/test/{n}.py", "test") for n in ("bad_coding", "badsyntax_1")]
    assert files.has_broken_ones(theirs)
    assert not files.has_broken_ones([files.Source("/lib/badge.py", "badge")])


def test_a_file_is_indexed_once_however_often_its_job_runs(tmp_path: Path) -> None:
    source, found = tmp_path / "code.py", str(tmp_path / "results.db")
    source.write_text("class A:\n    def f(self):\n        pass\n\n\nasync def g(): ...\n")
    results.create(found)
    index_file(str(source), "code", found)
    index_file(str(source), "code", found)
    summary = results.summary(found, 5)
    assert (summary.files, summary.lines, summary.functions, summary.classes) == (1, 6, 2, 1)
    assert [(row.longest, row.longest_lines) for row in summary.longest] == [("f", 2)]
    assert [(one.name, one.files) for one in summary.packages] == [("code", 1)]
