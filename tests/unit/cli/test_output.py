"""What a person reads."""

import pytest

from packhorse.cli.output import counted, number, span, table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, "0 µs"),
        (0.0000573, "57.3 µs"),
        (0.0012, "1.2 ms"),
        (0.9996, "1000 ms"),
        (1.0, "1 s"),
        (4.25, "4.2 s"),
        (59.9, "59.9 s"),
        (200, "3m 20s"),
        (7200, "2h"),
        (7260, "2h 1m"),
        (187200, "2d 4h"),
    ],
)
def test_a_span(seconds: float | None, text: str) -> None:
    assert span(seconds) == text


def test_a_number_at_its_cap_may_be_more() -> None:
    assert number(12_345) == "12,345"
    assert number(10_000, 10_000) == "10,000+"
    assert number(9_999, 10_000) == "9,999"


def test_one_is_not_many() -> None:
    assert counted(1, "job") == "1 job"
    assert counted(2_000, "job") == "2,000 jobs"
    assert counted(0, "entry", "entries") == "0 entries"


def test_a_table_for_a_pipe_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    table(["queue", "ready"], [["a", "1"], [long, "12,000"]], right=["ready"])
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "queue" + " " * 297 + " ready",
        "a" + " " * 301 + "     1",
        f"{long}  12,000",
    ]
