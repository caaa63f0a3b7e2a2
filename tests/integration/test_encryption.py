"""Sealed jobs through apps and workers: nothing in clear at rest, nothing forged, nothing lost."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from packhorse import JobContext, Packhorse, Unique, chain, events, job
from packhorse.driver.abilities import Lists
from packhorse.driver.message import Listed, Message
from packhorse.errors import ConfigError, JobFailedError, PluginError
from packhorse.testing import Recorder
from packhorse_encryption.keyring import generate
from tests.integration.journal import journal
from tests.integration.working import drain

SECRET = "hunter2"
OLD, NEW = generate("old"), generate("new")

ON = [
    pytest.param("memory://", id="memory"),
    pytest.param("sqlite", id="sqlite", marks=pytest.mark.backend("sqlite")),
]


@job(name="sealed.notes")
def notes(word: str) -> None:
    journal.note(word)


@job(name="sealed.fails", tags=[SECRET], keep_result=600)
def fails(ctx: JobContext, word: str) -> None:
    ctx.progress(1, 2, word)
    raise ValueError(f"no {word}")


@job(name="sealed.returns", keep_result=600)
def returns(word: str) -> str:
    return word + word


@job(name="sealed.alone", unique=Unique(SECRET), group=SECRET)
def alone(word: str) -> None: ...


@pytest.fixture(params=ON)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    given: str = request.param
    return f"sqlite:///{tmp_path}/jobs.db" if given == "sqlite" else given


@pytest.fixture
def app(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packhorse]:
    monkeypatch.setenv("PACKHORSE_KEYS", OLD)
    with Packhorse(config=config(url)) as app:
        yield app


def config(url: str, **encryption: object) -> Mapping[str, object]:
    connection = {"url": url, "codecs": ["encryption"]}
    return {"connections": {"main": connection}, "encryption": encryption}


def at_rest(app: Packhorse) -> list[Listed]:
    """All that the broker holds."""
    driver: object = app.connection().driver
    assert isinstance(driver, Lists)
    states: Any = ("waiting", "delayed", "parked", "dead")
    return [one for state in states for one in driver.list(None, state, 1_000)]


def resend(app: Packhorse, id: UUID, body: bytes) -> None:
    """What an attacker does who may write to the broker."""
    [sent] = app.connection().driver.send([Message(id, "default", body)])
    assert sent.state == "stored"


def test_a_sealed_job_runs_and_its_result_is_read(app: Packhorse) -> None:
    notes.dispatch("plain sight")
    handle = returns.dispatch("ha")
    assert drain(app).jobs == 2
    assert journal.notes == ["plain sight"]
    assert handle.result(timeout=5) == "haha"


def test_nothing_of_it_lies_in_clear(app: Packhorse, url: str, tmp_path: Path) -> None:
    heard = Recorder()

    app.on(events.Event)(heard)
    failing = fails.dispatch(SECRET)
    kept = returns.dispatch(SECRET)
    drain(app)
    alone.dispatch(SECRET)
    notes.using(delay=600, tags=[SECRET]).dispatch(SECRET)
    chain(notes.bind("first"), notes.bind(SECRET)).using(delay=600).dispatch()
    assert kept.result(timeout=5) == SECRET * 2
    with pytest.raises(JobFailedError) as caught:
        failing.result(timeout=5)
    for one in at_rest(app):
        assert SECRET not in repr(one)
    for path in tmp_path.glob("jobs.db*"):
        assert SECRET.encode() not in path.read_bytes(), path.name
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(app.failed.list())
    told = [one for one in heard.events if not isinstance(one, events.JobProcessed)]
    assert SECRET not in repr(told)


def test_the_search_finds_what_is_not_sealed(url: str, tmp_path: Path) -> None:
    with Packhorse(url) as app:
        fails.dispatch(SECRET)
        drain(app)
        assert SECRET.encode() in at_rest(app)[0].message.body
        if url.startswith("sqlite"):
            found = [SECRET.encode() in path.read_bytes() for path in tmp_path.glob("jobs.db*")]
            assert any(found)


def test_a_body_moved_to_another_job_is_rejected(app: Packhorse) -> None:
    first, second = notes.dispatch("first"), notes.dispatch("second")
    bodies = {one.message.id: json.loads(one.message.body) for one in at_rest(app)}
    app.queue().clear()
    forged = {**bodies[first.id], "body": bodies[second.id]["body"]}
    resend(app, first.id, msgspec.json.encode(forged))
    renamed = {**bodies[second.id], "job": "sealed.returns"}
    resend(app, second.id, msgspec.json.encode(renamed))
    drain(app)
    assert journal.notes == []
    assert [one.failures[0].type for one in app.failed.list()] == [
        "packhorse.errors.DecryptionError"
    ] * 2
    assert all("its seal is broken" in one.reason for one in app.failed.list())


def test_a_message_may_move_to_another_queue(app: Packhorse) -> None:
    handle = notes.dispatch("moved")
    driver: object = app.connection().driver
    assert isinstance(driver, Lists)
    assert driver.move([handle.id], "other") == 1
    drain(app, ["other"])
    assert journal.notes == ["moved"]


@pytest.mark.backend("sqlite")
def test_a_job_whose_key_is_gone_fails_whole_and_runs_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/jobs.db"
    monkeypatch.setenv("PACKHORSE_KEYS", OLD)
    with Packhorse(config=config(url)) as app:
        handle = notes.dispatch("patience")
        before = at_rest(app)[0].message.body
    monkeypatch.setenv("PACKHORSE_KEYS", NEW)
    with Packhorse(config=config(url)) as app:
        drain(app)
        [dead] = app.failed.list()
        assert dead.body == before
        assert "the key 'old' is not in the variable PACKHORSE_KEYS" in dead.reason
        assert str(handle.id) in dead.reason
    monkeypatch.setenv("PACKHORSE_KEYS", f"{OLD},{NEW}")
    with Packhorse(config=config(url)) as app:
        assert app.failed.retry("all") == 1
        drain(app)
        assert journal.notes == ["patience"]


def test_a_job_that_is_to_be_sealed_is_refused_in_clear(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKHORSE_KEYS", OLD)
    with Packhorse(config=config(url, require=True)) as app:
        handle = notes.using(codecs=[]).dispatch("forged")
        notes.dispatch("sealed")
        drain(app)
        assert journal.notes == ["sealed"]
        [dead] = app.failed.list()
        assert dead.id == handle.id
        assert "did not go through the codec 'encryption', which is required" in dead.reason


def test_a_forged_message_of_an_unknown_job_has_nothing_sealed_for_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKHORSE_KEYS", OLD)
    settings = {**config(url, require=True), "unknown_job_limit": 0}
    with Packhorse(config=settings) as app:
        caught = notes.bind("forged")
        chain(notes.using(codecs=[]).bind("x"), notes.bind("y")).catch(caught).dispatch()
        [one] = at_rest(app)
        envelope = json.loads(one.message.body)
        assert envelope["enc"] == []
        app.queue().clear()
        resend(app, one.message.id, msgspec.json.encode({**envelope, "job": "nobody"}))
        drain(app)
        assert journal.notes == []
        assert app.failed.count() == 1


def test_without_require_a_job_in_clear_runs_still(app: Packhorse) -> None:
    notes.using(codecs=[]).dispatch("from before")
    drain(app)
    assert journal.notes == ["from before"]


def test_a_unique_job_and_a_group_are_known_by_their_hashes(app: Packhorse) -> None:
    alone.dispatch("a")
    alone.dispatch("b")
    [one] = at_rest(app)
    assert one.message.unique is not None
    assert SECRET not in one.message.unique.key
    assert one.message.group not in (None, SECRET)


@pytest.mark.parametrize("keys", ["", "old = nonsense"])
def test_without_its_key_a_worker_does_not_start(
    url: str, keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PACKHORSE_KEYS", keys)
    with Packhorse(config=config(url)) as app:
        with pytest.raises(ConfigError, match="encryption"):
            app.worker().run(stop_when_empty=True)
        with pytest.raises(ConfigError, match="encryption"):
            notes.dispatch("in clear?")
        assert at_rest(app) == []


def test_without_the_codec_nothing_starts(url: str) -> None:
    configured = {**config(url), "block": ["encryption"]}
    configured.pop("encryption")
    with (
        Packhorse(config=configured) as app,
        pytest.raises(PluginError, match="encryption"),
    ):
        app.worker().run(stop_when_empty=True)
