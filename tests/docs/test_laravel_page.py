"""`docs/laravel.md` has a line for each row, and each test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "laravel.md").read_text()
LINES = re.findall(r"^\| ([A-Z]\d+) \|(.*)\|$", PAGE, re.MULTILINE)
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"def (test_\w+)\(", file.read_text())
}
WHOLE = {"C": 12, "D": 12, "E": 13, "F": 9, "H": 14}
"""Tables that are compared row by row, and how many rows each has; of others some are."""
SOME = ["A3", "A11", "A12", "A22", "A23", "A24", "B15", "M1", "M2", "M3"]
WEAKNESSES = ["W9", *(f"W{number}" for number in range(17, 25))]


def test_each_row_has_a_line() -> None:
    whole = [f"{table}{number}" for table, last in WHOLE.items() for number in range(1, last + 1)]
    assert [row for row, _ in LINES] == [*SOME, *whole, *WEAKNESSES]


@pytest.mark.parametrize(("row", "line"), LINES, ids=[row for row, _ in LINES])
def test_the_tests_of_a_row_exist(row: str, line: str) -> None:
    named = re.findall(r"`(test_\w+)`", line)
    assert [name for name in named if name not in TESTS] == []
    *_, otherwise = line.rstrip().rsplit("|", 1)
    assert named or otherwise.strip(), f"{row} has no test, and nothing says why"
