"""What `docs/wire-format.md` shows is so."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from packhorse.wire.envelope import Body, Death, Envelope, Failure
from packhorse.wire.seal import open_body, open_envelope, seal

TEXT = (Path(__file__).parents[3] / "docs" / "wire-format.md").read_text(encoding="utf-8")
ID = UUID("018bcfe5-687b-7000-8000-000000000001")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.DOTALL | re.MULTILINE)


def fields(type: type[msgspec.Struct]) -> set[str]:
    return set(type.__struct_fields__)


def tables() -> list[set[str]]:
    """The first column of each table of fields."""
    parts = TEXT.split("| field | type | |\n|---|---|---|\n")[1:]
    rows = [part.split("\n\n")[0].splitlines() for part in parts]
    return [
        {name for row in table for name in re.findall(r"`(\w+)`", row.split("|")[1])}
        for table in rows
    ]


def test_each_field_is_described() -> None:
    assert tables() == [fields(Envelope), fields(Body), fields(Death)]


def test_the_smallest_message_is_what_is_written() -> None:
    shown = json.loads(blocks("json")[0])
    envelope = open_envelope(json.dumps(shown).encode())
    body = open_body(envelope, {}, Body)
    written = seal(body, (), id=ID, job=shown["job"], at=shown["at"])
    assert json.loads(written) == shown


def test_the_inside_is_one() -> None:
    shown = json.loads(blocks("json")[1])
    body = msgspec.json.decode(blocks("json")[1], type=Body)
    assert json.loads(msgspec.json.encode(body)) == shown
    assert set(shown["failures"][0]) == fields(Failure)


def test_the_associated_data_is_what_codecs_get(bound: list[bytes]) -> None:
    assert bound == [blocks("json")[2].strip().encode()]


@pytest.fixture
def bound() -> list[bytes]:
    """What a codec was given beside the message's bytes."""
    from tests.unit.wire.codecs import Reversed

    seen: list[bytes] = []

    class Listening(Reversed):
        def encode(self, data: bytes, bound: bytes) -> bytes:
            seen.append(bound)
            return super().encode(data, bound)

    body = Body(args=msgspec.Raw(b"{}"))
    seal(body, [Listening()], id=ID, job="shop.jobs.send_welcome", at=1.0)
    return seen


def test_the_example_writes_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Callable[[], UUID]] = {}
    exec(blocks("python")[0], names)
    envelope = open_envelope(capsys.readouterr().out.encode())
    assert envelope.job == "shop.jobs.send_welcome"
    assert (envelope.id.version, envelope.id.variant) == (7, "specified in RFC 4122")
    body = open_body(envelope, {}, Body)
    assert json.loads(bytes(body.args)) == {"user_id": 42, "subject": "Welcome"}
    made = [names["new_id"]() for _ in range(1_000)]
    assert len(set(made)) == 1_000
    assert {(id.version, id.variant) for id in made} == {(7, "specified in RFC 4122")}
