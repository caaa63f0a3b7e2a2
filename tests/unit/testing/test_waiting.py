"""`eventually` gives the answer that came, or says what it saw last."""

from collections.abc import Iterator

import pytest

from packhorse.testing import eventually


def test_the_first_true_answer_is_returned() -> None:
    answers: Iterator[object] = iter([0, [], None, "there"])
    assert eventually(lambda: next(answers), every=0) == "there"


def test_what_was_seen_last_is_said() -> None:
    with pytest.raises(AssertionError, match=r"empty was not true within 0 s; last seen: \[\]"):
        eventually(empty, within=0)


def test_a_failed_assertion_means_not_yet() -> None:
    seen: list[int] = []

    def three() -> bool:
        seen.append(1)
        assert len(seen) == 3, f"only {len(seen)}"
        return True

    assert eventually(three, every=0)
    seen.clear()
    with pytest.raises(AssertionError, match="only 1"):
        eventually(three, within=0)


def test_any_other_error_goes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        eventually(lambda: 1 // 0)


def empty() -> list[int]:
    return []
