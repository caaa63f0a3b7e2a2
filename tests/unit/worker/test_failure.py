"""Failures as they are kept: whatever was raised fits into 4 KiB and can be written."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.wire.envelope import Failure
from packhorse.worker.failure import LIMIT, failure, head, keep


def kept(error: BaseException) -> Failure:
    return failure(error, 2, 1_700_000_000.0, "worker")


def size(one: Failure) -> int:
    """Bytes of its texts as UTF-8, which must be possible at all."""
    msgspec.json.encode(one)
    return sum(len(text.encode()) for text in (one.type, one.message, one.traceback))


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


class Mute(Exception):
    def __str__(self) -> str:
        raise KeyError("mute")


class Exiting(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)


def chained() -> BaseException:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as caught:
        return caught


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    raise ValueError("at the bottom")


def test_what_is_kept() -> None:
    one = kept(raised(ValueError("no")))
    assert (one.attempt, one.type, one.message) == (2, "ValueError", "no")
    assert (one.at, one.worker) == (1_700_000_000.0, "worker")
    assert one.traceback.startswith("Traceback (most recent call last):\n")
    assert one.traceback.endswith("ValueError: no\n")
    assert "raise error" in one.traceback


def test_a_class_of_somebodys_own_is_named_with_its_module() -> None:
    assert kept(Mute()).type == f"{__name__}.Mute"


def test_a_cause_is_told() -> None:
    text = kept(chained()).traceback
    assert text.index("KeyError: 'first'") < text.index("direct cause") < text.index("second")


def test_of_a_deep_traceback_the_end_stays() -> None:
    with pytest.raises(ValueError, match="at the bottom") as caught:
        deep(500)
    one = kept(caught.value)
    assert one.traceback.endswith("ValueError: at the bottom\n")
    assert size(one) <= LIMIT


STRANGE: dict[str, BaseException] = {
    "mute": Mute(),
    "exiting": Exiting(),
    "empty": ValueError(),
    "surrogates": ValueError("\ud800"),
    "nulls": ValueError("\0" * 10_000),
    "wide": ValueError("🐴" * 10_000),
    "long": ValueError("x" * 1_000_000),
    "group": ExceptionGroup("many", [ValueError(str(n)) for n in range(1_000)]),
    "no syntax": SyntaxError("x", (None, None, None, 5)),  # type: ignore[arg-type]
    "exit": SystemExit(object()),
    "interrupt": KeyboardInterrupt(),
    "bytes": ValueError(b"\xff"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_whatever_is_raised_can_be_kept(name: str) -> None:
    one = kept(raised(STRANGE[name]))
    assert size(one) <= LIMIT
    assert one.type
    assert one.traceback


def test_a_text_that_cannot_be_had_says_so() -> None:
    assert kept(Mute()).message == "<no text: its __str__ raised KeyError>"
    assert kept(Exiting()).message == "<no text: its __str__ raised SystemExit>"


def test_a_class_with_an_endless_name() -> None:
    kind: Any = type("E" * 10_000, (Exception,), {"__module__": "\ud800"})
    one = kept(raised(kind("x")))
    assert size(one) <= LIMIT
    assert one.type.startswith("\\ud800.EEE")


def test_a_chain_without_end() -> None:
    error: BaseException = ValueError("0")
    for number in range(1, 2_000):
        following = ValueError(str(number))
        following.__cause__, error = error, following
    assert size(kept(error)) <= LIMIT


@given(st.text(), st.integers(3, 300))
def test_the_head_of_a_text(text: str, limit: int) -> None:
    cut = head(text, limit)
    whole = text.encode("utf-8", "backslashreplace").decode()
    assert len(cut.encode()) <= limit
    assert cut == whole or (cut.endswith("…") and whole.startswith(cut[:-1]))
    assert (cut == whole) == (len(whole.encode()) <= limit)


@given(st.lists(st.integers(1, 100), max_size=20))
def test_the_first_and_the_last_four_stay(attempts: list[int]) -> None:
    every = [Failure(n, "", "", "", 0.0, "") for n in attempts]
    stayed: tuple[Failure, ...] = ()
    for one in every:
        stayed = keep(stayed, one)
    assert list(stayed) == (every if len(every) <= 5 else [every[0], *every[-4:]])
