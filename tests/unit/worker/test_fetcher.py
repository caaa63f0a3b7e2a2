"""The fetcher: what one message does to it, the others do not feel."""

import logging
from pathlib import Path

import pytest

from packhorse import Packhorse, job, registry
from packhorse.definition import Definition
from packhorse.errors import PluginError
from packhorse.worker import fetcher
from tests.plugins.throwaway import installed

MUTE = """
from packhorse.plugin import Codec, CodecSpec, hookimpl

class Mute(Codec):
    name = "mute"
    writes = True

    def encode(self, data, bound):
        if not Mute.writes:
            raise OSError("the key store is away")
        return data

    def decode(self, data, bound):
        return data

def make(settings):
    return Mute()

@hookimpl
def packhorse_codecs():
    return [CodecSpec("mute", f"{__name__}:make")]
"""


def test_what_cannot_be_sealed_is_buried_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(tmp_path, monkeypatch, "mute", MUTE)
    ran: list[int] = []

    @job(name="good", codecs=[])
    def good(number: int) -> None:
        ran.append(number)

    with Packhorse("memory://", codecs=["mute"], unknown_job_limit=0) as app:
        queue = app.queue()
        for number in range(3):
            queue.push_raw("nobody", {})
            queue.push(good.bind(number))
        from packhorse_mute_plugin import Mute  # type: ignore[import-not-found]

        monkeypatch.setattr(Mute, "writes", False)
        with caplog.at_level(logging.ERROR):
            report = app.worker(concurrency=4).run(max_jobs=3)
        assert sorted(ran) == [0, 1, 2]
        assert (report.reason, report.jobs) == ("max_jobs", 3)
        assert "the key store is away" in caplog.text
        assert "the record of its failure could not be sealed" in caplog.text
        assert app.failed.count() == 3


def test_a_message_that_breaks_the_fetcher_breaks_it_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def find(name: str) -> Definition | None:
        if name == "cursed":
            raise RuntimeError("a bug of ours")
        return registry.find(name)

    ran: list[int] = []

    @job(name="good")
    def good(number: int) -> None:
        ran.append(number)

    monkeypatch.setattr(fetcher, "find", find)
    with Packhorse("memory://") as app:
        queue = app.queue()
        for number in range(3):
            queue.push_raw("cursed", {})
            queue.push(good.bind(number))
        report = app.worker(concurrency=6).run(max_jobs=3)
        assert sorted(ran) == [0, 1, 2]
        assert report.reason == "max_jobs"
        assert queue.counts().reserved == 3, "their leases run out"
    assert caplog.text.count("RuntimeError: a bug of ours") == 3


def test_a_codec_that_is_not_installed_stops_the_worker_before_it_takes_anything() -> None:
    with Packhorse("memory://") as app:
        app.queue().push_raw("sealed", {})

        @job(name="sealed", codecs=["nowhere"])
        def sealed() -> None: ...

        with pytest.raises(PluginError, match="nowhere"):
            app.worker().run(stop_when_empty=True)
        assert app.queue().counts().ready == 1
