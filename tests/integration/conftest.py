"""The brokers that workers are tried on, and the apps that speak to them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from packhorse import Packhorse
from packhorse.testing import Recorder
from tests.beanstalkd import Server, serving
from tests.integration.journal import journal
from tests.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

LIKE = ("cluster", "sqs", "sqs-fifo", "beanstalkd")
MEMORY = pytest.param("memory://", id="memory")
REDIS = pytest.param("redis", id="redis", marks=pytest.mark.backend("redis"))
SQLITE = pytest.param("sqlite", id="sqlite", marks=pytest.mark.backend("sqlite"))
BEANSTALKD = pytest.param(
    "beanstalkd", id="real-beanstalkd", marks=pytest.mark.backend("beanstalkd", "sqlite")
)
EVERYWHERE = [MEMORY, *(pytest.param(f"memory://?like={name}", id=name) for name in LIKE)]
EVERYWHERE += [SQLITE, REDIS, BEANSTALKD]

WAITING = ("test_expiring", "test_outcomes", "test_progress")
"""Modules that wait for delays, which beanstalkd has in whole seconds: `like=beanstalkd` is enough there."""


class MakeApp(Protocol):
    """Makes an app on the broker under test; keywords are settings."""

    def __call__(self, *, lease: float = 30.0, unknown_job_limit: int = 10) -> Packhorse: ...


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    spared = [one for one in items if one.path.stem in WAITING and "real-beanstalkd" in one.name]
    if spared:
        items[:] = [one for one in items if one not in spared]
        config.hook.pytest_deselected(items=spared)


@pytest.fixture(autouse=True)
def _fresh_journal() -> None:
    journal.clear()


@pytest.fixture(params=EVERYWHERE)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The broker under test; a test that is for some brokers alone parametrises it anew."""
    given: str = request.param
    if given == "beanstalkd":
        with serving(Server(tmp_path / "binlog")) as server:
            yield server.url
    elif given == "redis":
        redis: RedisServer = request.getfixturevalue("redis_server")
        yield redis.emptied()
    else:
        yield f"sqlite:///{tmp_path}/jobs.db" if given == "sqlite" else given


@pytest.fixture
def make_app(url: str, tmp_path: Path) -> Iterator[Callable[..., Packhorse]]:
    made: list[Packhorse] = []
    # The only broker here that brings no store of its own.
    companion = (
        f"sqlite:///{tmp_path}/store.db?synchronous=off" if url.startswith("beanstalkd:") else None
    )

    def make(*, lease: float = 30.0, unknown_job_limit: int = 10) -> Packhorse:
        app = Packhorse(url, lease=lease, unknown_job_limit=unknown_job_limit, store=companion)
        made.append(app.__enter__())
        return made[-1]

    yield make
    for app in reversed(made):
        app.__exit__()


@pytest.fixture
def app(make_app: MakeApp) -> Packhorse:
    """An app on the broker under test, with a lease that no test outlives."""
    return make_app()


@pytest.fixture
def heard(app: Packhorse) -> Recorder:
    """What the app tells, from its beginning."""
    from packhorse import events

    recorder = Recorder()
    app.on(events.Event)(recorder)
    return recorder
