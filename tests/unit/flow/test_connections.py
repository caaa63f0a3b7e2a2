"""Chains and batches over two connections: what goes to the other one is sent first, and taken up once."""

from collections.abc import Iterator, Sequence

import pytest

from packhorse import Packhorse, batch, chain
from packhorse.driver.message import Message, Sent
from packhorse.errors import ConnectionLost
from packhorse.testing import ForwardingDriver
from tests.unit.flow.log import broken, called, healed, log, step

HERE, THERE = "here", "there"


@pytest.fixture(params=["memory", "sqs", "beanstalkd"])
def app(request: pytest.FixtureRequest) -> Iterator[Packhorse]:
    log.clear()
    like = request.param
    connections = {HERE: {"url": "memory://here"}, THERE: {"url": f"memory://there?like={like}"}}
    if like != "memory":
        connections[THERE]["store"] = HERE
    with Packhorse(config={"default": HERE, "connections": connections}) as app:
        yield app


def work(app: Packhorse, *connections: str) -> None:
    for name in connections:
        app.worker(connection=name).run(stop_when_empty=True)


def test_links_go_to_and_fro(app: Packhorse) -> None:
    there = step.using(connection=THERE)
    handle = chain(step.bind("a"), there.bind("b"), there.bind("c"), step.bind("d")).dispatch()
    work(app, THERE)
    assert log == []
    work(app, HERE)
    assert log == ["a"]
    work(app, THERE)
    assert log == ["a", "b", "c"]
    assert handle.state() == "running"
    work(app, HERE)
    assert log == ["a", "b", "c", "d"]
    assert handle.state() == "succeeded"
    found = app.chains.find(handle.id)
    assert found is not None
    assert found.state() == "succeeded"


def test_a_chain_is_cancelled_wherever_it_is(app: Packhorse) -> None:
    handle = chain(step.bind("a"), step.using(connection=THERE).bind("never")).dispatch()
    work(app, HERE)
    assert handle.cancel()
    work(app, THERE)
    assert log == ["a"]
    assert handle.state() == "cancelled"


def test_what_a_chain_catches_with_goes_where_it_says(app: Packhorse) -> None:
    caught = called.using(connection=THERE).bind("catch")
    chain(broken.bind(), step.bind("never")).catch(caught).dispatch()
    work(app, HERE)
    assert log == ["broken"]
    work(app, THERE)
    assert log[1:] == ["catch because of flow.broken: failed at attempt 1 of 1"]


def test_members_are_counted_wherever_they_ran(app: Packhorse) -> None:
    there = step.using(connection=THERE)
    ended = called.using(connection=THERE).bind("then")
    both = [step.bind("c"), there.bind("d")]
    found = batch([step.bind("a"), there.bind("b"), both]).then(ended).dispatch()
    work(app, HERE)
    assert (found.refresh().done, found.pending) == (1, 2)
    work(app, THERE)
    assert (found.refresh().done, found.pending) == (3, 0)
    work(app, THERE)
    assert sorted(log[:4]) == ["a", "b", "c", "d"]
    assert log[4:] == ["then (succeeded)"]


def test_members_that_failed_there_are_retried(app: Packhorse) -> None:
    member = broken.using(connection=THERE).bind()
    found = batch([member, step.bind("a")]).allow_failures().dispatch()
    work(app, HERE, THERE)
    assert (found.refresh().done, found.failed) == (1, 1)
    healed.add("broken")
    try:
        assert app.batches.retry(found.id) == 1
        work(app, THERE)
    finally:
        healed.clear()
    assert (found.refresh().state, found.done) == ("succeeded", 2)


class LosesReplies(ForwardingDriver):
    """Stores what is sent, and says the first time that it could not be reached."""

    lost = 0

    def send(self, messages: Sequence[Message]) -> list[Sent]:
        sent = super().send(messages)
        if not self.lost:
            self.lost += 1
            raise ConnectionLost("the reply was lost")
        return sent


def test_a_link_whose_sending_was_not_answered_runs_once(app: Packhorse) -> None:
    there = app.connection(THERE)
    driver = there._driver = LosesReplies(there.driver)
    chain(step.bind("a"), step.using(connection=THERE).bind("b")).dispatch()
    work(app, HERE)
    there._driver = driver.driver
    assert driver.lost == 1
    assert there.driver.counts("default", 9).ready in (1, 2)
    work(app, THERE)
    assert log == ["a", "b"]
