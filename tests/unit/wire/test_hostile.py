"""Whatever stands in a message: it is read, or refused as `InvalidPayload` or `DecryptionError`."""

import base64
import json
import traceback
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from packhorse.errors import DecryptionError, InvalidPayload
from packhorse.wire.codec import Codec
from packhorse.wire.envelope import Body, Death
from packhorse.wire.seal import arguments, open_body, open_envelope, recount, seal
from tests.unit.wire.codecs import KNOWN, Careless
from tests.unit.wire.making import bodies, chosen, ids, json_value, text

REFUSED = (InvalidPayload, DecryptionError)


def read(data: bytes) -> Body | None:
    """The body, None if it was refused; anything else is raised. What was read can be written again."""
    try:
        envelope = open_envelope(data)
    except InvalidPayload:
        return None
    recount(envelope, failed=1, lost=1, unknown=1)
    with suppress(*REFUSED):
        death = open_body(envelope, KNOWN, Death)
        seal(death, (), id=envelope.id, job=envelope.job, at=envelope.at)
    with suppress(*REFUSED):
        body = open_body(envelope, KNOWN, Body)
        seal(body, (), id=envelope.id, job=envelope.job, at=envelope.at)
        arguments(body)
        return body
    return None


def good(**changed: object) -> bytes:
    """A message that is good but for what is changed."""
    clear = {"v": 1, "id": "00000000-0000-7000-8000-000000000000", "job": "j", "at": 1.0}
    parts = {"body": {"args": {}}, "failed": 0, "lost": 0, "unknown": 0, "enc": []}
    return json.dumps({**clear, **parts, **changed}).encode()


def test_the_message_that_the_others_are_made_of_is_good() -> None:
    assert read(good()) == Body(args=Raw(b"{}"))


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    assert read(data) is None


@given(json_value)
def test_random_json(value: object) -> None:
    assert read(json.dumps(value).encode()) is None


@given(
    st.dictionaries(
        st.sampled_from(["v", "id", "job", "at", "body", "failed", "lost", "unknown", "enc"]),
        json_value,
        min_size=1,
        max_size=3,
    )
)
def test_random_values_in_a_good_message(changed: dict[str, object]) -> None:
    read(good(**changed))


@given(
    st.dictionaries(
        st.sampled_from(
            ["args", "ser", "overrides", "until", "expires", "tags", "context", "failures"]
        ),
        json_value,
    )
)
def test_random_values_in_a_good_body(changed: dict[str, object]) -> None:
    read(good(body={"args": {}, **changed}))


@given(bodies, chosen, ids, text, st.data())
def test_truncated_and_damaged(
    body: Body, codecs: list[Codec], id: UUID, job: str, draw: st.DataObject
) -> None:
    data = seal(body, codecs, id=id, job=job, at=1.0)
    cut = draw.draw(st.integers(0, len(data) - 1))
    assert read(data[:cut]) is None
    read(data[:cut] + draw.draw(st.binary(min_size=1, max_size=3)) + data[cut + 1 :])


@given(st.binary(max_size=100), st.lists(st.sampled_from(["toy", "reversed", "careless", "none"])))
@example(b"", ["toy"])
@example(b"{}!", ["careless"])
def test_random_bytes_in_a_sealed_body(data: bytes, enc: list[str]) -> None:
    read(good(body=base64.b64encode(data).decode(), enc=enc))


DEEP = 100_000

CASES = {
    "empty": b"",
    "no object": b"[]",
    "null": b"null",
    "deeper than any stack": b"[" * DEEP,
    "an argument deeper than any stack": good(body={"args": "X"}).replace(
        b'"X"', b"[" * DEEP + b"]" * DEEP
    ),
    "something after the end": good() + b"{}",
    "a byte order mark": b"\xef\xbb\xbf" + good(),
    "UTF-16": good().decode().encode("utf-16"),
    "a byte that is no UTF-8, in clear": good(job="X").replace(b"X", b"\xff"),
    "a lone surrogate": good(job="X").replace(b"X", b"\\ud800"),
    "a lone surrogate among the tags": good(body={"args": {}, "tags": ["\ud800"]}),
    "no version": json.dumps({"id": "x"}).encode(),
    "a version to come": good(v=2),
    "version 0": good(v=0),
    "a version of 4,000 digits": good(v=10**4000),
    "a version of 10,000 digits": good(v=7).replace(b'"v": 7', b'"v": ' + b"7" * 10_000),
    "a version that is no integer": good(v=1.5),
    "a version that is true": good(v=True),
    "an id that is none": good(id="42"),
    "a job that is no text": good(job=None),
    "a moment beyond all numbers": good(at=7).replace(b'"at": 7', b'"at": 1e999'),
    "NaN": good(at=float("nan")),
    "no body": json.dumps(
        {"v": 1, "id": "00000000-0000-7000-8000-000000000000", "job": "j", "at": 1}
    ).encode(),
    "a body without arguments": good(body={}),
    "a body that is text and not sealed": good(body="e30="),
    "a counter below 0": good(failed=-1),
    "a counter that no broker counts": good(lost=2**31),
    "a counter that cannot be written again": good(unknown=2**70),
    "an attempt that cannot be written again": good(
        body={
            "args": {},
            "failures": [
                {
                    "attempt": 2**70,
                    "type": "",
                    "message": "",
                    "traceback": "",
                    "at": 1,
                    "worker": "",
                }
            ],
        }
    ),
    "half a failure": good(body={"args": {}, "failures": [{"attempt": 1}]}),
    "enc is text": good(enc="toy"),
    "enc is null": good(enc=None),
    "a codec that nobody knows": good(body="e30=", enc=["rot13"]),
    "a sealed body that is an object": good(enc=["toy"]),
    "a sealed body that is no base64": good(body="e30", enc=["reversed"]),
    "a sealed body with a line break in it": good(body="e3\n0=", enc=["reversed"]),
    "a sealed body that is no ASCII": good(body="é30=", enc=["reversed"]),
    "a broken seal": good(body="e30=", enc=["toy"]),
    "bytes that the codec did not make": good(body="e30=", enc=["reversed"]),
    "what is inside is no body": good(body=base64.b64encode(b"][!").decode(), enc=["reversed"]),
    "a codec that raises anything": good(body="e30=", enc=["careless"]),
    "another serializer's arguments are no text": good(body={"args": 5, "ser": "other"}),
    "another serializer's arguments are no base64": good(body={"args": "%", "ser": "other"}),
}


@pytest.mark.parametrize("data", CASES.values(), ids=CASES.keys())
def test_it_is_refused(data: bytes) -> None:
    assert read(data) is None


def test_of_a_repeated_key_the_last_counts() -> None:
    data = good()[:-1] + b', "job": "k"}'
    assert open_envelope(data).job == "k"


def test_what_is_not_known_is_passed_over() -> None:
    assert read(good(color="red", body={"args": {}, "shape": 1})) == Body(args=Raw(b"{}"))


def test_bytes_in_an_argument_that_are_no_utf8_are_kept_until_they_are_read() -> None:
    data = good(body={"args": {"a": "X"}}).replace(b"X", b"\xff")
    body = open_body(open_envelope(data), {}, Body)
    assert arguments(body) == b'{"a": "\xff"}'


def test_the_versions_are_named() -> None:
    with pytest.raises(InvalidPayload, match="is of version 2; this packhorse reads version 1"):
        open_envelope(good(v=2))


def test_the_codec_that_is_missing_is_named() -> None:
    envelope = open_envelope(good(body="e30=", enc=["gzip"]))
    with pytest.raises(InvalidPayload, match="job j: the message needs the codec 'gzip'"):
        open_body(envelope, KNOWN, Body)


def test_what_a_codec_raises_is_named_without_its_text() -> None:
    envelope = open_envelope(good(body="e30=", enc=["careless"]))
    with pytest.raises(InvalidPayload, match=r"codec .careless. .* raised KeyError") as caught:
        open_body(envelope, {"careless": Careless()}, Body)
    assert "42" not in "".join(traceback.format_exception(caught.value))
