"""Raw pushes: a name and its arguments, of a job that this process need not know."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from packhorse import (
    InvalidPayload,
    JobDefinitionError,
    Packhorse,
)


@pytest.fixture
def app() -> Packhorse:
    return Packhorse("memory://")


@pytest.mark.parametrize("payload", [{"a": 1}, b'{"a": 1}', '{"a": 1}', {"a": Path("x")}])
def test_a_raw_push(app: Packhorse, payload: Any) -> None:
    handle = app.queue("q").push_raw("nobody.knows", payload)
    found = app.queue("q").get(handle.id)
    assert found is not None
    assert found.job == "nobody.knows"
    assert found.arguments is not None
    assert json.loads(found.arguments)["a"] in (1, "x")


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "[]",
        "5",
        "{",
        '{"a": NaN}',
        '"\ud800"',
        b"\xff",
        '{"a":' + "[" * 100_000,
        {"a": object()},
    ],
)
def test_a_raw_push_of_no_json_object(app: Packhorse, payload: Any) -> None:
    with pytest.raises(InvalidPayload, match=r"^job j: the payload is no JSON object: "):
        app.queue().push_raw("j", payload)
    assert app.queue().size() == 0


def test_a_raw_push_of_nan(app: Packhorse) -> None:
    with pytest.raises(InvalidPayload, match=r"^job j: the payload holds a NaN"):
        app.queue().push_raw("j", {"a": [math.nan]})


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_a_raw_push_of_no_name(app: Packhorse, name: str) -> None:
    with pytest.raises(JobDefinitionError, match=r"^push_raw: name="):
        app.queue().push_raw(name, {})
