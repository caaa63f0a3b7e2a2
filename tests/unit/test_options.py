"""Options: each is checked where it is written, and the error says where and how."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from packhorse.driver.message import Unique
from packhorse.errors import JobDefinitionError, Unsupported
from packhorse.options import (
    NAMES,
    NOTHING,
    Isolation,
    Options,
    OptionSet,
    check,
    exponential,
    merge,
    moment,
)

GOOD: dict[str, Any] = {
    "name": "shop.tidy",
    "aliases": ["tidy", "clean"],
    "queue": "low",
    "connection": "redis",
    "delay": 1.5,
    "tags": ["vip"],
    "codecs": ["encryption"],
    "unique": True,
    "group": "shop",
    "retry_until": 60,
    "expires": timedelta(hours=1),
    "tries": 5,
    "backoff": [1, 5, 30],
    "timeout": 20,
    "soft_timeout": False,
    "fail_on_timeout": True,
    "max_losses": 0,
    "at_most_once": False,
    "isolate": Isolation(memory=256, cpu=30, files=64),
    "middleware": [],
    "keep_result": 3600,
}
NOT_YET = ("after_commit",)


def test_every_option_is_tried_here_and_has_a_type_for_type_checkers() -> None:
    assert set(GOOD) | set(NOT_YET) == NAMES == set(Options.__annotations__)


def test_all_of_them_are_taken() -> None:
    options = check("job j", GOOD)
    assert options.aliases == ("tidy", "clean")
    assert options.backoff == (1.0, 5.0, 30.0)
    assert {name for name in NAMES if getattr(options, name) is not UNSET} == set(GOOD)


def test_nobody_said_anything() -> None:
    assert check("job j", {}) == NOTHING


@pytest.mark.parametrize("name", NOT_YET)
def test_what_is_not_there_yet_is_refused_and_not_ignored(name: str) -> None:
    with pytest.raises(Unsupported, match=rf"^job j: .*\({name}=…\) is not available yet$"):
        check("job j", {name: 1})
    check("job j", {name: False})


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("queu", "queue"),
        ("retries", "tries"),
        ("time_out", "timeout"),
        ("middlewares", "middleware"),
    ],
)
def test_a_misspelt_option_names_the_nearest(written: str, meant: str) -> None:
    with pytest.raises(JobDefinitionError) as caught:
        check("job j", {written: 1})
    assert str(caught.value) == f"job j: there is no option {written!r}; did you mean {meant!r}?"


def test_an_option_like_no_other_names_none() -> None:
    with pytest.raises(JobDefinitionError, match=r"^job j: there is no option 'xyzzy'$"):
        check("job j", {"xyzzy": 1})


@pytest.mark.parametrize("name", ["name", "aliases", "middleware"])
def test_what_belongs_to_the_job_is_not_for_one_message(name: str) -> None:
    with pytest.raises(JobDefinitionError, match=f"job j: '{name}' belongs to the job"):
        check("job j", {name: GOOD[name]}, message=True)


WRONG: list[tuple[str, object]] = [
    ("name", 5),
    ("name", ""),
    ("aliases", "tidy"),
    ("aliases", [""]),
    ("queue", None),
    ("queue", ""),
    ("queue", "\ud800"),
    ("connection", ""),
    ("delay", -1),
    ("delay", math.nan),
    ("delay", math.inf),
    ("delay", timedelta(seconds=-1)),
    ("tags", "vip"),
    ("tags", ["\udfff"]),
    ("codecs", [1]),
    ("unique", "key"),
    ("group", ""),
    ("retry_until", "tomorrow"),
    ("retry_until", True),
    ("retry_until", math.nan),
    ("expires", math.inf),
    ("expires", None),
    ("tries", -1),
    ("tries", 1.5),
    ("tries", True),
    ("tries", "3"),
    ("backoff", -1),
    ("backoff", []),
    ("backoff", [1, -1]),
    ("backoff", [math.inf]),
    ("backoff", "1,5"),
    ("backoff", exponential(base=-1)),
    ("backoff", exponential(cap=math.inf)),
    ("backoff", exponential(base=math.nan)),
    ("backoff", exponential(jitter=2)),
    ("backoff", exponential(jitter=-0.5)),
    ("timeout", -1),
    ("timeout", math.inf),
    ("timeout", timedelta(seconds=5)),
    ("soft_timeout", 1),
    ("max_losses", -1),
    ("at_most_once", "yes"),
    ("isolate", "yes"),
    ("isolate", 1),
    ("isolate", Isolation(memory=0)),
    ("isolate", Isolation(cpu=-1)),
    ("isolate", Isolation(files=2**31)),
    ("isolate", Isolation(memory=1.5)),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{n}={v!a}" for n, v in WRONG])
def test_a_wrong_value_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(JobDefinitionError, match=r"^job j: ") as caught:
        check("job j", {name: value})
    assert name in str(caught.value)


def test_at_most_once_allows_one_try() -> None:
    check("job j", {"at_most_once": True, "tries": 1})
    with pytest.raises(JobDefinitionError, match="at_most_once=True allows no tries=3"):
        check("job j", {"at_most_once": True, "tries": 3})


def test_a_delay_is_seconds_or_a_timedelta() -> None:
    assert check("job j", {"delay": timedelta(minutes=1)}) == OptionSet(delay=60.0)


def test_unique_says_how() -> None:
    assert check("job j", {"unique": Unique(window=60)}).unique == Unique(window=60)


@given(
    st.dictionaries(st.sampled_from(["queue", "tags", "tries", "backoff"]), st.none()),
    st.dictionaries(st.sampled_from(["queue", "tags", "tries", "backoff"]), st.none()),
)
def test_whoever_comes_later_wins_where_he_says_something(
    first: dict[str, None], second: dict[str, None]
) -> None:
    base = OptionSet(**{name: GOOD[name] for name in first})
    over = OptionSet(**{name: f"over {name}" for name in second})  # type: ignore[arg-type]
    merged = merge(base, over)
    for name in NAMES:
        said = over if name in second else base
        assert getattr(merged, name) == getattr(said, name)


def test_a_moment() -> None:
    assert moment(60, 1_000.0) == 1_060.0
    assert moment(timedelta(minutes=1), 1_000.0) == 1_060.0
    assert moment(datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC), 1_000.0) == 1_700_000_000.0
    naive = datetime(2023, 11, 14, 22, 13, 20)
    assert moment(naive, 1_000.0) == naive.astimezone().timestamp()
