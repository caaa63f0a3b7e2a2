"""Names of queues that stand for others: pushing, serving, looking, and what cannot be."""

import msgspec
import pytest

from packhorse import ConfigError, Packhorse, job
from packhorse.dispatch import message_for
from packhorse.forwarding import line, lines, resolve


@pytest.fixture
def app() -> Packhorse:
    return Packhorse("memory://", forward={"post": "letters", "letters": "mail", "bills": "money"})


ran: list[str] = []


@job(name="forwarding.note")
def note(text: str) -> None:
    ran.append(text)


def test_a_way_ends_where_nothing_is_forwarded() -> None:
    ends = resolve({"a": "b", "b": "c", "x": "c"})
    assert ends == {"a": "c", "b": "c", "x": "c"}
    assert line("a", ends) == line("c", ends) == ["a", "b", "x", "c"]
    assert line("other", ends) == ["other"]
    assert lines(["other", "b", "c"], ends) == ("other", "a", "b", "x", "c")


@pytest.mark.parametrize(
    ("forward", "circle"),
    [({"a": "a"}, "a → a"), ({"x": "a", "a": "b", "b": "a"}, "x → a → b → a")],
)
def test_a_circle_is_refused(forward: dict[str, str], circle: str) -> None:
    with pytest.raises(ConfigError, match=rf"main\]: forward goes in a circle: {circle}$"):
        Packhorse(config={"connections": {"main": {"url": "memory://", "forward": forward}}})


def test_every_push_goes_where_the_name_stands_for(app: Packhorse) -> None:
    with app:
        post = app.queue("post")
        for handle in (
            note.using(queue="letters").dispatch("using"),
            post.push(note.bind("push")),
            post.later(9, note.bind("later")),
            *post.push_many([note.bind("many")]),
            post.push_raw("forwarding.note", {"text": "raw"}),
        ):
            assert handle.queue == "mail"
        app.route(note, queue="bills")
        assert note.dispatch("routed").queue == "money"
        assert (app.queue("mail").size(), post.size()) == (5, 0)


def test_the_connections_own_queue_may_be_forwarded() -> None:
    with Packhorse("memory://", queue="old", forward={"old": "new"}) as app:
        assert note.dispatch("x").queue == "new"
        assert app.worker().queues == ("old", "new")


@pytest.mark.parametrize("served", ["post", "mail"])
def test_a_worker_serves_the_whole_line_by_any_of_its_names(served: str) -> None:
    """What an older process still pushes under the old name is not stranded, and runs first."""
    ran.clear()
    with Packhorse("memory://", forward={"post": "mail"}) as app:
        connection = app.connection()
        old = message_for(note.bind("old"), connection)
        note.using(queue="mail").dispatch("new")
        connection.driver.send([msgspec.structs.replace(old, queue="post")])
        worker = app.worker([served], concurrency=1)
        assert worker.queues == ("post", "mail")
        worker.run(stop_when_empty=True)
        assert ran == ["old", "new"]


def test_pausing_any_name_pauses_the_line(app: Packhorse) -> None:
    app.queue("mail").pause()
    assert app.queue("post").is_paused()
    assert not app.queue("money").is_paused()
    app.queue("letters").resume()
    assert not app.queue("mail").is_paused()
