"""Queues become tubes and messages become jobs, and both come back."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.driver.message import Message

pytestmark = pytest.mark.backend("beanstalkd")

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(NAMES)
def test_a_tube_has_a_name_that_beanstalkd_takes_and_is_read_back(queue: str) -> None:
    from packhorse_beanstalkd.tubes import queue_of, tube_of

    tube = tube_of(queue)
    allowed = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-+/;.$_()"
    assert not set(tube) - set(allowed)
    assert 0 < len(tube) <= 200
    assert not tube.startswith(b"-")
    if b"++" not in tube:
        assert queue_of(tube) == queue


@given(NAMES, NAMES)
def test_different_queues_are_different_tubes(one: str, other: str) -> None:
    from packhorse_beanstalkd.tubes import tube_of

    assert (tube_of(one) == tube_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("queue", "tube"),
    [
        ("default", b"default"),
        ("mail.low-prio_2", b"mail.low-prio_2"),
        ("-x", b"+2Dx"),
        ("a+b c", b"a+2Bb+20c"),
        ("ü", b"+C3+BC"),
        ("", b"+"),
    ],
)
def test_plain_names_stay_as_they_are(queue: str, tube: bytes) -> None:
    from packhorse_beanstalkd.tubes import tube_of

    assert tube_of(queue) == tube


def test_names_that_are_too_long_end_in_a_hash() -> None:
    from packhorse_beanstalkd.tubes import tube_of

    one, other = tube_of("x" * 300 + "a"), tube_of("x" * 300 + "b")
    assert one != other
    assert len(one) == len(other) == 200


@given(st.binary(max_size=50), st.integers(0, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_a_framed_message_comes_back(body: bytes, once: int, ttr: int) -> None:
    from packhorse_beanstalkd.frame import SIZE, framed, unframed

    message = Message(uuid4(), "q", b"unused", once=float(once))
    data = framed(message, ttr, body)
    assert len(data) == len(body) + SIZE
    found = unframed("q", data)
    assert found == (Message(message.id, "q", body, once=float(once)), ttr)


def test_the_frame_is_a_part_of_the_wire_format() -> None:
    from packhorse_beanstalkd.frame import framed

    id = UUID("01234567-89ab-7def-8123-456789abcdef")
    assert framed(Message(id, "q", b"", once=1.5), 30, b"{}").hex() == (
        "7068010123456789ab7def8123456789abcdef0000001e000000027b7d"
    )


@pytest.mark.parametrize("data", [b"", b"{}", b"ph", b"ph\x01short", b"ph\x02" + bytes(40)])
def test_what_has_no_frame_is_a_strangers(data: bytes) -> None:
    from packhorse_beanstalkd.frame import stranger, unframed

    assert unframed("q", data) is None
    assert stranger("q", data, 7).body == data
    assert stranger("q", data, 7).id == stranger("q", data, 7).id != stranger("q", data, 8).id
