"""Another serializer than JSON: chosen by a connection, named in the message, read by its name."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from packhorse import InvalidPayload, Packhorse, PluginError, job
from packhorse.dispatch import message_for
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope
from packhorse.wire.serializer import Serializer
from packhorse.wire.types import decode_custom, encode_custom
from tests.plugins.throwaway import installed

T = TypeVar("T")


class Packed(Serializer):
    """MessagePack, which carries what JSON cannot."""

    name = "packed"

    def encode(self, arguments: object) -> bytes:
        return msgspec.msgpack.encode(arguments, enc_hook=encode_custom)

    def decoder(self, type: type[T]) -> Callable[[bytes], T]:
        return msgspec.msgpack.Decoder(type, dec_hook=decode_custom).decode


PLUGIN = """
from packhorse.plugin import SerializerSpec, hookimpl

@hookimpl
def packhorse_serializers():
    return [SerializerSpec("packed", "tests.unit.wire.test_serializer:Packed")]
"""


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packhorse]:
    installed(tmp_path, monkeypatch, "packed", PLUGIN)
    with Packhorse("memory://", serializer="packed") as app:
        yield app


@job(name="serializer.echo")
def echo(number: float, data: bytes, path: Path) -> tuple[float, bytes, Path]:
    return number, data, path


def test_there_and_back(app: Packhorse) -> None:
    given = (1.5, b"\xff\0", Path("a/b"))
    assert echo.dispatch_sync(*given) == given
    message = message_for(echo.bind(*given), app.connection())
    body = open_body(open_envelope(message.body), {}, Body)
    assert body.ser == "packed"
    assert msgspec.json.decode(body.args, type=bytes) == Packed().encode(
        echo.bind(*given).arguments
    )


def test_it_may_carry_what_json_cannot(app: Packhorse) -> None:
    assert math.isnan(echo.dispatch_sync(math.nan, b"", Path())[0])


def test_what_does_not_fit_is_refused_all_the_same(app: Packhorse) -> None:
    with pytest.raises(InvalidPayload, match="Expected `float`, got `str`"):
        echo.dispatch("x", b"", Path())  # type: ignore[arg-type]


def test_a_worker_reads_by_the_name_in_the_message(app: Packhorse) -> None:
    echo.dispatch(1.0, b"", Path())
    (shown,) = app.queue().jobs()
    assert shown.arguments is None, "no text, so not shown"
    assert app.worker().run(stop_when_empty=True).jobs == 1
    assert app.failed.count() == 0


def test_a_message_of_a_serializer_that_is_not_installed_is_a_failed_job() -> None:
    with Packhorse("memory://") as app:
        message = message_for(echo.bind(1.0, b"", Path()), app.connection())
        body = message.body.replace(b'"args":{', b'"ser":"nowhere","args":{')
        app.connection().driver.send([msgspec.structs.replace(message, body=body)])
        app.worker().run(stop_when_empty=True)
        (failed,) = app.failed.list()
        assert "nowhere" in failed.reason


def test_a_serializer_that_is_not_installed_is_refused_at_dispatch() -> None:
    with Packhorse("memory://", serializer="nowhere") as app, pytest.raises(PluginError):
        app.dispatch(echo.bind(1.0, b"", Path()))
