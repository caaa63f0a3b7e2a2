"""What the store keeps of a job's end and of its progress: the newest, sealed where the message is."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from packhorse import JobContext, JobDefinitionError, JobFailedError, Packhorse, chain, job
from packhorse.dispatch import message_for
from packhorse.flow.chains import link_id
from packhorse.result import newest, newest_data, progress_key, result_key
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.closing import close
from tests.plugins.throwaway import installed
from tests.unit.wire.codecs import TOY_PLUGIN
from tests.unit.worker.attempts import execution

SECRET = "hunter2"


@pytest.fixture(params=["memory", pytest.param("sqlite", marks=pytest.mark.backend("sqlite"))])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Packhorse]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/jobs.db"
    with Packhorse(url) as app:
        yield app


@pytest.fixture
def sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packhorse]:
    installed(tmp_path, monkeypatch, "toy", TOY_PLUGIN)
    connection = {"url": "memory://", "codecs": ["toy"]}
    with Packhorse(config={"connections": {"main": connection}}) as app:
        yield app


def kept(app: Packhorse) -> bytes | None:
    return newest_data(app.connection().store.read(["k"])[0])


def write(app: Packhorse, since: float, number: int, data: bytes) -> None:
    app.connection().store.apply(newest("k", since, number, data, ttl=60.0))


def test_what_is_newer_replaces_what_is_older_and_never_the_other_way(app: Packhorse) -> None:
    write(app, 1_700_000_000.0, 1, b"first")
    assert kept(app) == b"first"
    write(app, 1_700_000_000.0, 2, b"a higher number")
    assert kept(app) == b"a higher number"
    write(app, 1_700_000_000.0, 1, b"zzz")
    assert kept(app) == b"a higher number"
    write(app, 1_700_000_000.000_001, 0, b"a later delivery")
    assert kept(app) == b"a later delivery"
    write(app, 1_700_000_000.0, 9, b"zzz")
    assert kept(app) == b"a later delivery"


def test_a_worker_that_has_lost_a_job_writes_over_nothing(app: Packhorse) -> None:
    @job(name="tests.kept_by_two", keep_result=60)
    def answers() -> str:
        return ""

    message = message_for(answers.bind(), app.connection())
    lost, taken = execution(app, message), execution(app, message)
    later = lost.delivery.reserved_at + 1
    taken.delivery = msgspec.structs.replace(taken.delivery, reserved_at=later)
    for one, text in ((taken, "of its successor"), (lost, "of who has lost it")):
        one.prepare()
        one.result = text
        brings = close(one, Finish("done")).brings
        assert brings is not None
        app.connection().store.apply([group for _, group in brings.before])
    assert app.handle(message.id).result(timeout=5) == "of its successor"


@job(keep_result=60)
def tells(ctx: JobContext, fail: bool) -> str:
    ctx.progress(1, 2, SECRET)
    if fail:
        raise ValueError(SECRET)
    return SECRET


def test_a_result_is_sealed_where_its_message_is(sealed: Packhorse) -> None:
    handle = tells.dispatch(fail=False)
    sealed.worker().run(stop_when_empty=True)
    stored = sealed.connection().store.read([result_key(handle.id), progress_key(handle.id)])
    assert SECRET.encode() not in b"".join(one for one in stored if isinstance(one, bytes))
    assert handle.result(timeout=5) == SECRET
    progress = handle.progress()
    assert progress is not None
    assert progress.note == SECRET


def test_a_sealed_failure_is_in_no_text(sealed: Packhorse) -> None:
    handle = tells.dispatch(fail=True)
    sealed.worker().run(stop_when_empty=True)
    with pytest.raises(JobFailedError, match="what went wrong is sealed") as caught:
        handle.result(timeout=5)
    assert SECRET not in f"{caught.value!r} {caught.value}"
    assert caught.value.__cause__ is None
    assert caught.value.failure is not None
    assert caught.value.failure.message == SECRET


def test_how_an_unopened_message_failed_is_kept_too(app: Packhorse) -> None:
    one = execution(app, tells.using(keep_result=5).bind(fail=True))
    assert one.keep_result == 5
    brings = close(one, Bury("nobody opened it")).brings
    assert brings is not None
    assert [name for name, _ in brings.before] == ["main", "main"]


def test_jobs_that_keep_nothing_bring_nothing(app: Packhorse) -> None:
    @job(name="tests.keeps_nothing")
    def keeps_nothing() -> int:
        return 1

    one = execution(app, keeps_nothing.bind())
    one.prepare()
    assert close(one, Finish("done")).brings is None


def test_a_result_that_can_never_travel_is_an_error_at_import() -> None:
    with pytest.raises(JobDefinitionError, match=r"job .*: its result: object cannot travel"):

        @job(keep_result=60)
        def wrong() -> object: ...


def test_links_of_a_chain_keep_their_results(app: Packhorse) -> None:
    @job(name="tests.counts")
    def counts(number: int) -> int:
        return number

    keeping = counts.using(keep_result=60)
    links = chain(keeping.bind(1), keeping.bind(2)).dispatch()
    app.worker().run(stop_when_empty=True)
    assert app.handle(links.id).result(timeout=5) == 1
    assert app.handle(link_id(links.id, 1)).result(timeout=5) == 2
