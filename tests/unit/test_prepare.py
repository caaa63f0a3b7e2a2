"""`prepare_for_dispatch`: asked before each push; it may change the options, or say no."""

from collections.abc import Iterator
from typing import Any

import pytest

from packhorse import (
    Job,
    JobDefinitionError,
    JobHandle,
    Packhorse,
    Pending,
    batch,
    chain,
    events,
    job,
)
from packhorse.testing import Recorder

asked: list[object] = []


class Import(Job, name="prepare.import", queue="imports"):
    path: str
    note: str = ""

    def prepare_for_dispatch(self, pending: Pending[object]) -> bool | Pending[object] | None:
        asked.append(pending)
        if self.path.endswith(".part"):
            return False
        if self.path.startswith("big"):
            return pending.using(queue="large", delay=60)
        if self.path == "bad":
            raise ValueError("no such file")
        self.note = "seen"
        return None

    def handle(self) -> str:
        return self.note


@job(name="prepare.send", queue="mail")
def send(user: int, *, subject: str = "Welcome") -> None: ...


@send.prepare_for_dispatch
def only_even_users(
    pending: Pending[None], /, user: int, *, subject: str = ""
) -> bool | Pending[None]:
    asked.append((user, subject))
    return pending.using(queue="odd") if user == 3 else user % 2 == 0


@pytest.fixture
def app() -> Iterator[Packhorse]:
    asked.clear()
    with Packhorse("memory://") as app:
        yield app


def test_it_is_asked_on_every_path_before_the_push(app: Packhorse) -> None:
    queue = app.queue("mine")
    Import("a").dispatch()
    Import("a").using(tries=2).dispatch()
    queue.push(Import("a"))
    queue.later(5, Import("a"))
    queue.push_many([Import("a"), Import("b")])
    assert len(asked) == 6
    assert asked[1].overrides.tries == 2  # type: ignore[attr-defined]
    assert asked[3].overrides.delay == 5  # type: ignore[attr-defined]


def test_it_may_change_fields_and_options(app: Packhorse) -> None:
    handle = Import("a").dispatch()
    [kept] = app.queue("imports").jobs()
    assert (kept.id, kept.arguments) == (handle.id, '{"path":"a","note":"seen"}')
    assert Import("big").dispatch().queue == "large"
    assert app.queue("large").counts().delayed == 1


def test_the_call_wins_over_what_it_changed(app: Packhorse) -> None:
    assert app.queue("mine").push(Import("big")).queue == "mine"


def test_who_is_vetoed_is_not_pushed_and_told_so(app: Packhorse) -> None:
    heard = Recorder()
    app.on(events.Event)(heard)
    handle = Import("a.part").dispatch()
    assert handle.vetoed
    assert handle.state() == "vetoed"
    assert not handle.cancel()
    assert repr(handle).endswith("on main/imports, vetoed>")
    [event] = heard.events
    assert event == events.JobVetoed(
        id=handle.id, job="prepare.import", queue="imports", connection="main"
    )
    assert app.queue("imports").size() == 0


def test_of_many_only_the_vetoed_are_left_out(app: Packhorse) -> None:
    handles = app.queue().push_many([Import("a"), Import("b.part"), Import("c")])
    assert [handle.vetoed for handle in handles] == [False, True, False]
    assert [handle.state() for handle in handles] == ["waiting", "vetoed", "waiting"]
    assert app.queue().size() == 2


def test_what_it_raises_is_the_callers_and_nothing_is_pushed(app: Packhorse) -> None:
    with pytest.raises(ValueError, match="no such file"):
        app.push_many([Import("a"), Import("bad")])
    assert app.queue("imports").size() == 0


def test_a_function_has_one_too(app: Packhorse) -> None:
    def state(handle: JobHandle[object]) -> tuple[str, bool]:
        return handle.queue, handle.vetoed

    assert state(send.dispatch(2)) == ("mail", False)
    assert state(send.dispatch(1, subject="x")) == ("mail", True)
    assert state(send.using(delay=5).dispatch(3)) == ("odd", False)
    assert asked == [(2, "Welcome"), (1, "x"), (3, "Welcome")]
    assert only_even_users(send.bind(1), 4, subject="")  # it stays a function


def test_what_is_not_pushed_is_not_asked(app: Packhorse) -> None:
    assert Import("b.part").dispatch_sync() == ""
    app.queue().push_raw("prepare.import", {"path": "b.part"})
    assert asked == []
    assert app.queue().size() == 1


def test_subclasses_inherit_it(app: Packhorse) -> None:
    class Nightly(Import, name="prepare.nightly"):
        def handle(self) -> str:
            return ""

    assert Nightly("a.part").dispatch().vetoed


def test_chains_and_batches_do_without_those_that_say_no(app: Packhorse) -> None:
    heard = Recorder()
    app.on(events.JobVetoed)(heard)
    handle = chain(Import("a.part"), Import("b"), Import("c.part")).dispatch()
    assert handle.length == 1
    assert app.queue("imports").size() == 1
    assert chain(Import("a.part")).dispatch().skipped
    assert batch([Import("a.part"), Import("b"), [Import("c.part")]]).dispatch().total == 1
    assert [event.queue for event in heard.of(events.JobVetoed)] == ["imports"] * 5


@pytest.mark.parametrize("answer", ["no", 0, send.bind(2)])
def test_an_answer_that_is_none(app: Packhorse, answer: object) -> None:
    class Odd(Job, name="prepare.odd"):
        def prepare_for_dispatch(self, pending: Pending[object]) -> object:
            return answer

        def handle(self) -> None: ...

    with pytest.raises(JobDefinitionError, match=r"^job prepare.odd: prepare_for_dispatch gave "):
        Odd().dispatch()


def test_one_that_cannot_be_asked_is_refused_at_import() -> None:
    with pytest.raises(JobDefinitionError, match="takes self and the pending job, nothing else"):

        class Lonely(Job):
            def prepare_for_dispatch(self) -> bool:
                return True

            def handle(self) -> None: ...

    with pytest.raises(JobDefinitionError, match="prepare_for_dispatch must be an ordinary method"):

        class Late(Job):
            async def prepare_for_dispatch(self, pending: Pending[object]) -> bool:
                return True

            def handle(self) -> None: ...

    with pytest.raises(JobDefinitionError, match="no async def"):

        @send.prepare_for_dispatch  # type: ignore[arg-type]
        async def late(pending: Any, /, user: int, *, subject: str = "") -> Any: ...

    with pytest.raises(JobDefinitionError, match="a field cannot be called 'prepare_for_dispatch'"):

        class Field(Job):
            prepare_for_dispatch: int

            def handle(self) -> None: ...
