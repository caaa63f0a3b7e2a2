"""Which policy holds for a message: its overrides, then the job, then the worker's flags, then defaults."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from packhorse import InvalidPayload, Job, JobDefinitionError, exponential, job
from packhorse.definition import Definition
from packhorse.options import NOTHING, RUN, OptionSet
from packhorse.worker.attempt import Policy
from packhorse.worker.policy import Policies, read_overrides
from tests.unit.wire.making import json_value

FLAGS = OptionSet(tries=7, backoff=7.0, timeout=7.0)


def defined(**options: Any) -> Definition:
    @job(name="j", **options)
    def function() -> None: ...

    return function.definition


def resolved(
    definition: Definition,
    flags: OptionSet = NOTHING,
    *,
    arguments: Any = None,
    until: bool = False,
    **overrides: object,
) -> Policy:
    raw = {name: Raw(json.dumps(value).encode()) for name, value in overrides.items()}
    return Policies(flags).of(definition, arguments, raw, until)


def test_the_defaults() -> None:
    assert resolved(defined()) == Policy()
    assert Policy() == Policy(
        tries=1, backoff=0.0, timeout=60.0, soft_timeout=True, fail_on_timeout=False, max_losses=3
    )


def test_a_retry_until_lifts_the_limit_that_nobody_set() -> None:
    assert resolved(defined(), until=True).tries == 0
    assert resolved(defined(tries=2), until=True).tries == 2
    assert resolved(defined(), FLAGS, until=True).tries == 7


def test_who_wins() -> None:
    assert resolved(defined(), FLAGS).tries == 7
    assert resolved(defined(tries=3), FLAGS).tries == 3
    assert resolved(defined(tries=3), FLAGS, tries=5).tries == 5
    assert resolved(defined(tries=3), FLAGS, timeout=5) == Policy(tries=3, timeout=5.0, backoff=7.0)
    assert resolved(defined(soft_timeout=False), soft_timeout=True).soft_timeout is True


def test_a_method_wins_over_the_keyword() -> None:
    class Sized(Job, name="sized", tries=9, timeout=9):
        size: int

        def tries(self) -> int | None:
            return self.size or None

        def backoff(self, failures: int) -> float:
            return float(self.size * failures)

        def handle(self) -> None: ...

    policies = Policies(NOTHING)
    policy = policies.of(Sized.definition, Sized(2), {}, False)  # type: ignore[arg-type]
    assert (policy.tries, policy.timeout) == (2, 9.0)
    assert callable(policy.backoff)
    assert policy.backoff(3) == 6.0
    assert resolved(Sized.definition, arguments=Sized(0)).tries == 9
    assert resolved(Sized.definition, arguments=Sized(2), backoff=1).backoff == 1.0


@pytest.mark.parametrize("answer", ["3", -1, 1.5, float("nan")])
def test_what_a_method_answers_is_checked(answer: object) -> None:
    definition = defined()
    definition.methods = {"tries": lambda arguments: answer}
    with pytest.raises(JobDefinitionError, match=r"^job j, tries\(\): .*tries"):
        resolved(definition)


def test_at_most_once_allows_one_try_and_no_loss() -> None:
    policy = resolved(defined(at_most_once=True), FLAGS, until=True)
    assert (policy.tries, policy.max_losses) == (1, 0)
    assert resolved(defined(at_most_once=True), tries=5, max_losses=5).tries == 1
    assert resolved(defined(), at_most_once=True).max_losses == 0


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (5, 5.0),
        ([1, 5, 30], (1.0, 5.0, 30.0)),
        (
            {"type": "Exponential", "base": 2.0, "cap": 60.0, "jitter": 0.5},
            exponential(2.0, 60.0, 0.5),
        ),
    ],
)
def test_a_backoff_that_travelled(written: object, meant: object) -> None:
    assert resolved(defined(), backoff=written).backoff == meant


def test_what_depends_on_no_message_is_resolved_once() -> None:
    policies, definition = Policies(NOTHING), defined(tries=2)
    first: Any = policies.of(definition, None, {}, False)  # type: ignore[arg-type]
    assert policies.of(definition, None, {}, False) is first  # type: ignore[arg-type]
    assert policies.of(definition, None, {}, True) is not first  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "overrides",
    [
        {"tries": -1},
        {"tries": "3"},
        {"timeout": -1},
        {"timeout": None},
        {"backoff": []},
        {"backoff": -1},
        {"backoff": {"type": "Exponential", "base": -1}},
        {"backoff": {"type": "Exponential", "jitter": 9}},
        {"max_losses": 1.5},
        {"soft_timeout": 0},
        {"retries": 3},
        {"name": "other"},
        {"middleware": []},
        {"isolate": 1},
        {"isolate": {"memory": 0}},
        {"isolate": {"memory": 1.5}},
        {"isolate": {"swap": 1}},
    ],
)
def test_overrides_that_are_none_make_the_message_invalid(overrides: dict[str, Any]) -> None:
    with pytest.raises(InvalidPayload, match=r"^job j: wrong options in the message: "):
        resolved(defined(), **overrides)


def test_many_tries_are_tries() -> None:
    assert resolved(defined(), tries=2**70).tries == 2**70


@given(st.dictionaries(st.sampled_from(sorted(RUN)) | st.text(), json_value, max_size=3))
def test_any_overrides_are_read_or_refused(overrides: dict[str, object]) -> None:
    raw = {name: Raw(json.dumps(value).encode()) for name, value in overrides.items()}
    with suppress(InvalidPayload):
        assert isinstance(read_overrides("j", raw), OptionSet)
