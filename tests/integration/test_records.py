"""What becomes of attempts is logged, with the facts of each as attributes of its record."""

import logging
from typing import Any

import pytest

from packhorse import Job, JobContext, Packhorse, job
from tests.integration.conftest import MEMORY, SQLITE
from tests.integration.working import drain

pytestmark = pytest.mark.parametrize("url", [MEMORY, SQLITE], indirect=True)


@job
def fine() -> None: ...


@job(tries=2, backoff=0)
def broken() -> None:
    raise ValueError("no")


@job
def put_back(ctx: JobContext) -> None:
    ctx.release(60)


class Clumsy(Job):
    def failed(self, error: BaseException) -> None:
        raise RuntimeError("failed() is broken too")

    def handle(self) -> None:
        raise ValueError("no")


def logged(caplog: pytest.LogCaptureFixture, id: object) -> list[logging.LogRecord]:
    return [one for one in caplog.records if getattr(one, "id", None) == str(id)]


def facts(record: logging.LogRecord) -> dict[str, Any]:
    names = ("job", "queue", "attempt")
    return {name: getattr(record, name) for name in names}


def test_each_end_has_its_level(app: Packhorse, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "packhorse.worker")
    done, failed, again = fine.dispatch(), broken.dispatch(), put_back.dispatch()
    drain(app, concurrency=1)
    (record,) = logged(caplog, done.id)
    assert (record.levelname, record.name) == ("INFO", "packhorse.worker")
    assert f"job tests.integration.test_records.fine {done.id}: done in " in record.getMessage()
    assert facts(record) == {"job": fine.definition.name, "queue": "default", "attempt": 1}
    assert getattr(record, "duration") > 0  # noqa: B009
    first, second = logged(caplog, failed.id)
    assert [first.levelname, second.levelname] == ["WARNING", "ERROR"]
    assert "failed at attempt 1, again in 0 s" in first.getMessage()
    assert "failed for good" in second.getMessage()
    assert [facts(one)["attempt"] for one in (first, second)] == [1, 2]
    assert second.exc_info is not None
    assert str(second.exc_info[1]) == "no"
    assert "put back, again in 60 s" in logged(caplog, again.id)[0].getMessage()


def test_other_trouble_with_a_job_knows_it_too(
    app: Packhorse, caplog: pytest.LogCaptureFixture
) -> None:
    handle = Clumsy().dispatch()
    drain(app)
    trouble, _ = logged(caplog, handle.id)
    assert "its failed() raised" in trouble.getMessage()
    assert facts(trouble)["attempt"] == 1


def test_what_nobody_takes_is_not_made(app: Packhorse, caplog: pytest.LogCaptureFixture) -> None:
    done = fine.dispatch()  # at WARNING, which is where logging starts
    drain(app)
    assert logged(caplog, done.id) == []


def test_without_handlers_a_failure_is_left_to_who_runs_the_worker(
    app: Packhorse, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.getLogger("packhorse"), "propagate", False)
    monkeypatch.setattr(logging.getLogger("packhorse"), "handlers", [])
    failed = broken.using(tries=1).dispatch()
    drain(app)
    assert app.failed.count() == 1
    assert str(failed.id) not in capsys.readouterr().err
