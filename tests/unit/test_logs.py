"""A record as a line of JSON, whatever is in it; what is logged where nobody configured logging."""

import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from packhorse import JobContext
from packhorse.context import enter, leave
from packhorse.ids import new_id
from packhorse.last_resort import LastResort, Manner, OneLine, install, installed
from packhorse.logs import JsonLines


class Mute:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def record(text: object = "text", *args: object, **more: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, __file__, 1, text, args, None)
    made.__dict__.update(more)
    return made


def written(one: logging.LogRecord) -> dict[str, Any]:
    line = JsonLines().format(one)
    assert "\n" not in line
    return msgspec.json.decode(line, type=dict[str, Any])


def failing(one: logging.LogRecord, error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except BaseException:
        one.exc_info = sys.exc_info()
    return one


@pytest.fixture
def context() -> Iterator[JobContext]:
    made = JobContext(new_id(), "shop.tidy", "low", "main", attempt=2)
    token = enter(made)
    yield made
    leave(token)


def test_a_record_is_an_object() -> None:
    said = written(record("%d\nlines", 2, order=7))
    assert said.pop("at").endswith("Z")
    assert said == {"level": "warning", "logger": "shop", "message": "2\nlines", "order": 7}


def test_an_exception_is_whole() -> None:
    said = written(failing(record(), ValueError("no\nway")))
    assert said["error"] == "ValueError: no\nway"
    assert said["traceback"].startswith("Traceback")
    assert "raise error\n" in said["traceback"]


def test_where_it_was_logged_is_kept_if_that_is_asked_for() -> None:
    assert written(record(stack_info="Stack (most recent call last):"))["stack"].startswith("Stack")


def test_any_logger_tells_of_the_job_below_a_handler(context: JobContext) -> None:
    said = written(record(queue="mine"))
    facts = ("id", "job", "queue", "attempt")
    assert [said[name] for name in facts] == [str(context.id), "shop.tidy", "mine", 2]


@pytest.mark.parametrize(
    "one",
    [
        record("half of a character: \ud800"),
        record("text", order={"\ud800": "\ud800"}),
        record("text", order=Mute()),
        record("text", order=float("nan")),
        record("text", order=(loop := []), again=loop.append(loop)),  # type: ignore[var-annotated,func-returns-value]
        record("%d of %d", 1),
        record("%s", Mute()),
        record(Mute()),
        record("a line\u2028and another\x85and another"),
        failing(record(), ValueError(Mute())),
        failing(record(), ValueError("\ud800")),
    ],
)
def test_whatever_is_in_it(one: logging.LogRecord) -> None:
    assert written(one)["logger"] == "shop"


def test_ours_are_not_overwritten() -> None:
    assert written(record(at="noon", level="high"))["level"] == "warning"


@pytest.fixture
def log_as(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Installs, as in a program that has these handlers; pytest adds its own before a test is called."""

    def begin(manner: Manner, *handlers: logging.Handler) -> None:
        monkeypatch.setattr(logging.getLogger("packhorse"), "propagate", False)
        monkeypatch.setattr(logging.getLogger("packhorse"), "handlers", list(handlers))
        install(manner)

    monkeypatch.setattr(logging, "lastResort", logging.lastResort)
    yield begin
    logging.getLogger("packhorse.job").setLevel(logging.NOTSET)


def test_a_logged_exception_is_one_line(
    log_as: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    log_as(Manner())
    logger = logging.getLogger("packhorse.test")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logger.exception("a listener failed: %s", "f")
    logger.warning("the broker is away")
    logger.info("nobody wants to know")
    logging.getLogger("packhorse.job").info("nor this")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("packhorse: error: a listener failed: f: ValueError: two lines (")
    assert second == "packhorse: warning: the broker is away"


def test_what_jobs_log_is_shown_with_their_name(
    log_as: Callable[..., None], capsys: pytest.CaptureFixture[str], context: JobContext
) -> None:
    log_as(Manner(jobs=True))
    assert installed() == Manner(jobs=True)
    context.log.info("halfway")
    context.log.debug("not this")
    logging.getLogger("shop").info("nor this")
    said = capsys.readouterr().err
    assert said == f"packhorse: info: job shop.tidy {context.id}: halfway\n"


def test_for_programs_it_is_json(
    log_as: Callable[..., None], capsys: pytest.CaptureFixture[str], context: JobContext
) -> None:
    log_as(Manner(json=True, jobs=True))
    context.log.info("two\nlines", extra={"step": 1})
    said = msgspec.json.decode(capsys.readouterr().err, type=dict[str, Any])
    assert (said["message"], said["job"], said["step"]) == ("two\nlines", "shop.tidy", 1)


def test_who_has_configured_logging_decides(
    log_as: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    context: JobContext,
) -> None:
    log_as(Manner(json=True, jobs=True), logging.StreamHandler())
    context.log.info("nobody asked for this")
    context.log.warning("but for this")
    assert capsys.readouterr().err == "but for this\n"


def test_a_reader_that_left_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", Closed())
    LastResort(Manner()).emit(record())


def test_a_line_of_something_without_text() -> None:
    assert OneLine().format(failing(record(), ValueError(Mute()))).startswith("packhorse: warning:")
