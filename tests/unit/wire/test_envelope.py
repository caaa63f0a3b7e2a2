"""What is written is read again: any body, any counters, through any codecs."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from packhorse.errors import DecryptionError, InvalidPayload
from packhorse.wire.codec import Codec
from packhorse.wire.envelope import VERSION, Body, Death, Failure
from packhorse.wire.seal import (
    arguments,
    embed,
    is_sealed,
    open_body,
    open_envelope,
    recount,
    seal,
)
from tests.unit.wire.codecs import KNOWN, Reversed, Toy
from tests.unit.wire.making import bodies, chosen, counts, failures, ids, moment, text

ID = UUID(int=7)


@given(bodies, chosen, ids, text, moment, counts, counts, counts)
def test_a_message_is_read_as_it_was_written(
    body: Body,
    codecs: list[Codec],
    id: UUID,
    job: str,
    at: float,
    failed: int,
    lost: int,
    unknown: int,
) -> None:
    data = seal(body, codecs, id=id, job=job, at=at, failed=failed, lost=lost, unknown=unknown)
    envelope = open_envelope(data)
    assert (envelope.v, envelope.id, envelope.job, envelope.at) == (VERSION, id, job, at)
    assert (envelope.failed, envelope.lost, envelope.unknown) == (failed, lost, unknown)
    assert envelope.enc == tuple(codec.name for codec in codecs)
    assert open_body(envelope, KNOWN, Body) == body


@given(bodies, chosen, counts, counts, counts)
def test_counters_move_and_the_body_stays_closed(
    body: Body, codecs: list[Codec], failed: int, lost: int, unknown: int
) -> None:
    before = open_envelope(seal(body, codecs, id=ID, job="j", at=1.0))
    after = open_envelope(recount(before, failed=failed, lost=lost, unknown=unknown))
    assert bytes(after.body) == bytes(before.body)
    assert after == msgspec.structs.replace(
        before, body=after.body, failed=failed, lost=lost, unknown=unknown
    )


@pytest.mark.parametrize(
    ("enc", "sealed"),
    [((), False), (("reversed",), False), (("reversed", "toy"), True), (("nowhere",), True)],
)
def test_what_a_codec_seals_or_an_unknown_one_may_is_not_to_be_shown(
    enc: tuple[str, ...], sealed: bool
) -> None:
    envelope = open_envelope(seal(Body(Raw(b"{}")), (), id=ID, job="j", at=1.0))
    assert is_sealed(msgspec.structs.replace(envelope, enc=enc), KNOWN) is sealed


@given(text, text, text, text, moment, failures, chosen)
def test_a_record_of_a_death_is_read_as_it_was_written(
    reason: str,
    connection: str,
    queue: str,
    worker: str,
    failed_at: float,
    failures: list[Failure],
    codecs: list[Codec],
) -> None:
    death = Death(reason, connection, queue, worker, failed_at, tuple(failures))
    data = seal(death, codecs, id=ID, job="j", at=1.0)
    assert open_body(open_envelope(data), KNOWN, Death) == death


@given(st.binary(), st.sampled_from(["json", "other"]))
def test_arguments_of_another_serializer_are_any_bytes(data: bytes, serializer: str) -> None:
    if serializer == "json":
        data = msgspec.json.encode({"data": data})
    body = Body(args=embed(data, serializer), ser=serializer)
    again = open_body(open_envelope(seal(body, (), id=ID, job="j", at=1.0)), {}, Body)
    assert arguments(again) == data


def test_the_outermost_codec_stands_last() -> None:
    body = Body(args=Raw(b"{}"))
    envelope = open_envelope(seal(body, [Reversed(), Toy()], id=ID, job="j", at=1.0))
    assert envelope.enc == ("reversed", "toy")
    assert open_body(envelope, KNOWN, Body) == body


@pytest.mark.parametrize("part", ["id", "job"])
def test_a_sealed_body_fits_no_other_message(part: str) -> None:
    envelope = open_envelope(seal(Body(args=Raw(b"{}")), [Toy()], id=ID, job="j", at=1.0))
    other = {"id": UUID(int=8), "job": "k"}
    moved = msgspec.structs.replace(envelope, **{part: other[part]})
    with pytest.raises(DecryptionError):
        open_body(moved, KNOWN, Body)


def test_the_counters_are_not_bound_to_the_body() -> None:
    envelope = open_envelope(seal(Body(args=Raw(b"{}")), [Toy()], id=ID, job="j", at=1.0))
    data = recount(envelope, failed=3, lost=2, unknown=1)
    assert open_body(open_envelope(data), KNOWN, Body) == Body(args=Raw(b"{}"))


def test_text_that_is_no_unicode_is_refused_at_writing() -> None:
    with pytest.raises(InvalidPayload, match="job 'j': the message cannot be written"):
        seal(Body(args=Raw(b"{}"), tags=("\ud800",)), (), id=ID, job="j", at=1.0)
    with pytest.raises(InvalidPayload, match=r"job '\\ud800'"):
        seal(Body(args=Raw(b"{}")), (), id=ID, job="\ud800", at=1.0)
