"""The vectors that other implementations are tested with: packhorse reads and writes their very bytes."""

import json
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from packhorse import errors
from packhorse.wire.envelope import VERSION, Body, Death
from packhorse.wire.seal import open_body, open_envelope, seal
from tests.unit.wire.codecs import KNOWN

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text(encoding="utf-8"))
Parts = dict[str, Any]
"""An object of the vectors' JSON."""


def write(clear: Parts, inside: Parts, kind: str) -> bytes:
    """The bytes of a message or of a record, from what is in clear and what is inside."""
    text = json.dumps(inside, separators=(",", ":"), ensure_ascii=False)
    body: Body | Death = (
        msgspec.json.decode(text, type=Body)
        if kind == "body"
        else msgspec.json.decode(text, type=Death)
    )
    return seal(
        body,
        [KNOWN[name] for name in clear["enc"]],
        id=UUID(clear["id"]),
        **{key: clear[key] for key in ("job", "at", "failed", "lost", "unknown")},
    )


def read(data: bytes, kind: str) -> tuple[Parts, Parts]:
    """What is in clear and what is inside."""
    envelope = open_envelope(data)
    clear = json.loads(msgspec.json.encode(envelope))
    del clear["body"]
    inside: Body | Death = (
        open_body(envelope, KNOWN, Body) if kind == "body" else open_body(envelope, KNOWN, Death)
    )
    return clear, json.loads(msgspec.json.encode(inside))


def test_the_vectors_are_of_the_version_that_is_written() -> None:
    assert VECTORS["version"] == VERSION


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=itemgetter("name"))
def test_a_message(vector: Parts) -> None:
    data = vector["message"].encode()
    assert read(data, "body") == (vector["clear"], vector["body"])
    assert write(vector["clear"], vector["body"], "body") == data


@pytest.mark.parametrize("vector", VECTORS["records"], ids=itemgetter("name"))
def test_a_record(vector: Parts) -> None:
    data = vector["record"].encode()
    assert read(data, "death") == (vector["clear"], vector["death"])
    assert write(vector["clear"], vector["death"], "death") == data


@pytest.mark.parametrize("vector", VECTORS["invalid"], ids=itemgetter("reason"))
def test_an_invalid_message(vector: Parts) -> None:
    with pytest.raises(getattr(errors, vector["error"])):
        read(vector["message"].encode(), "body")
