"""Chains whose links run in the process that dispatched them."""

from collections.abc import Iterator

import pytest

from packhorse import Packhorse, batch, carried, carry, chain, deferring, job
from packhorse.testing import eventually

log: list[str] = []


@job(name="inline_chains.step")
def step(name: str) -> None:
    log.append(f"{name} {dict(carried())}" if carried() else name)


@job(name="inline_chains.fail")
def fail() -> None:
    raise ValueError("broken link")


@pytest.fixture(params=["sync://", "deferred://", "background://?threads=1"])
def app(request: pytest.FixtureRequest) -> Iterator[Packhorse]:
    log.clear()
    connections = {"main": {"url": request.param, "store": "kept"}, "kept": {"url": "memory://"}}
    with Packhorse(config={"default": "main", "connections": connections}) as app:
        yield app


def test_each_link_runs_when_the_one_before_is_done(app: Packhorse) -> None:
    with carry(tenant=7):
        chain(step.bind("a"), step.bind("b"), step.bind("c")).dispatch()
    expected = [f"{name} {{'tenant': 7}}" for name in "abc"]
    eventually(lambda: log == expected)


def test_a_long_chain_is_no_deep_one(app: Packhorse) -> None:
    chain(*(step.bind(str(n)) for n in range(600))).dispatch()
    eventually(lambda: len(log) == 600, within=20)
    assert log == [str(n) for n in range(600)]


def test_a_link_that_fails_is_caught_and_ends_the_chain(app: Packhorse) -> None:
    pushed = chain(fail.bind(), step.bind("never")).catch(step.bind("caught"))
    if app.connection().url.scheme == "sync":
        with pytest.raises(ValueError, match="broken link"):
            pushed.dispatch()
    else:
        pushed.dispatch()
    eventually(lambda: log == ["caught"])
    [kept] = eventually(app.failed.list)
    assert kept.job == "inline_chains.fail"
    app.connection().driver.close()
    assert log == ["caught"]


def test_a_batch_counts_them(app: Packhorse) -> None:
    pushed = batch([step.bind("a"), [step.bind("b"), step.bind("c")]]).then(step.bind("then"))
    with deferring():
        handle = pushed.dispatch()
    eventually(lambda: log[-1:] == ["then"])
    assert sorted(log[:-1]) == ["a", "b", "c"]
    eventually(lambda: handle.refresh().finished)
