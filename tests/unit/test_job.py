"""Class jobs: their fields are the payload and clash with nothing; what cannot work is refused at once."""

from collections.abc import Sequence
from typing import ClassVar

import pytest

from packhorse import Job, JobContext, JobDefinitionError, Packhorse, exponential, registry
from packhorse.definition import Definition
from packhorse.dispatch import message_for
from packhorse.driver.message import Message
from packhorse.job import pending
from packhorse.wire.envelope import Body
from packhorse.wire.seal import open_body, open_envelope


def definition(job: type[Job]) -> Definition:
    return job.definition


def message(app: Packhorse, job: Job) -> Message:
    return message_for(pending(job), app.connection())


def body(message: Message) -> Body:
    return open_body(open_envelope(message.body), {}, Body)


def test_its_annotated_names_are_the_payload() -> None:
    class Resize(Job, queue="media", tries=3):
        path: str
        width: int = 640

        def handle(self) -> None: ...

    one = Resize("a.png", width=5)
    assert bytes(definition(Resize).encode(one)) == b'{"path":"a.png","width":5}'
    assert definition(Resize).options.queue == "media"
    assert one == Resize(path="a.png", width=5)
    assert repr(one).endswith("Resize(path='a.png', width=5)")


def test_fields_that_are_called_like_options() -> None:
    class Order(Job, queue="orders", tries=2):
        queue: str
        tries: int = 9
        tags: Sequence[str] = ()
        delay: float = 5.0
        name: str = "x"

        def handle(self) -> None: ...

    with Packhorse("memory://") as app:
        sent = message(app, Order("mine"))
    assert (sent.queue, sent.delay, body(sent).tags) == ("orders", 0.0, ())
    assert definition(Order).options.tries == 2


def test_options_are_inherited_but_the_name_is_not() -> None:
    class Mail(Job, queue="mail", tries=5, name="mail", aliases=["post"]):
        def handle(self) -> None: ...

    class Welcome(Mail, tries=1):
        pass

    options = definition(Welcome).options
    assert (options.queue, options.tries) == ("mail", 1)
    assert definition(Welcome).name.endswith("Welcome")
    assert definition(Welcome).aliases == ()
    assert registry.find("post") is definition(Mail)


def test_a_class_without_handle_is_a_base() -> None:
    class Base(Job, queue="low"):
        a: int

    class Real(Base):
        def handle(self) -> None: ...

    assert definition(Real).options.queue == "low"
    with pytest.raises(
        JobDefinitionError, match=r"Base\(a=1\) is no job: give a Job with a handle"
    ):
        Base(1).dispatch()


def test_a_method_wins_over_the_keyword_and_using_over_both() -> None:
    class Sized(Job, queue="keyword", delay=1, tries=3):
        size: int

        def queue(self) -> str:
            return f"size-{self.size}"

        def delay(self) -> float | None:
            return None if self.size == 0 else 60.0

        def tags(self) -> list[str]:
            return [str(self.size)]

        def handle(self) -> None: ...

    with Packhorse("memory://") as app:
        sent = message(app, Sized(7))
        assert (sent.queue, sent.delay, body(sent).tags) == ("size-7", 60.0, ("7",))
        assert message(app, Sized(0)).delay == 1.0, "None leaves it to the keyword"
        other = message_for(Sized(7).using(queue="here"), app.connection())
        assert other.queue == "here"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("queue", 5),
        ("queue", ""),
        ("delay", -1),
        ("tags", "vip"),
        ("retry_until", "tomorrow"),
        ("expires", float("nan")),
        ("codecs", "toy"),
        ("unique", "key"),
        ("group", 7),
    ],
)
def test_what_a_method_answers_is_checked(name: str, answer: object) -> None:
    class Wrong(Job, name="wrong"):
        def handle(self) -> None: ...

    definition(Wrong).methods = {name: lambda self: answer}
    refused = pytest.raises(JobDefinitionError, match=rf"^job wrong, {name}\(\): ")
    with Packhorse("memory://") as app, refused as caught:
        message(app, Wrong())
    assert name in str(caught.value)


def test_handle_with_and_without_context() -> None:
    class Plain(Job):
        def handle(self) -> str:
            return "plain"

    class Asking(Job):
        def handle(self, ctx: JobContext) -> int:
            return ctx.attempt

    class Later(Job):
        async def handle(self, ctx: "JobContext") -> int:
            return ctx.attempt

    with Packhorse("memory://"):
        assert Plain().dispatch_sync() == "plain"
        assert Asking().dispatch_sync() == 1
        assert Later().dispatch_sync() == 1


def test_a_forward_reference_is_resolved_when_it_is_there() -> None:
    class Refers(Job, name="refers"):
        other: "ToCome"  # type: ignore[name-defined]  # noqa: F821

        def handle(self) -> None: ...

    made = Refers(5)
    with pytest.raises(JobDefinitionError, match="job refers: an annotation needs 'ToCome'"):
        definition(Refers).encode(made)


def test_constants_and_helpers_may_be_there() -> None:
    class Fine(Job):
        LIMIT = 5
        names: ClassVar[Sequence[str]] = ("a",)
        _tries = 7

        @property
        def double(self) -> int:
            return self.LIMIT * 2

        def handle(self) -> int:
            return self.double

    with Packhorse("memory://"):
        assert Fine().dispatch_sync() == 10


def test_a_backoff_of_two_kinds_as_keyword() -> None:
    class Doubling(Job, backoff=exponential(2)):
        def handle(self) -> None: ...

    class Listed(Job, backoff=[1, 2]):
        def handle(self) -> None: ...

    assert definition(Doubling).options.backoff == exponential(2)
    assert definition(Listed).options.backoff == (1.0, 2.0)


def test_what_is_no_job_cannot_be_pushed() -> None:
    with Packhorse("memory://") as app:
        for thing in (5, print, Job, "name"):
            with pytest.raises(JobDefinitionError, match="is no job: give a Job with a handle"):
                app.dispatch(thing)  # type: ignore[arg-type]


def test_fields_by_name_only_may_follow_those_with_defaults() -> None:
    class Resize(Job):
        path: str = "a.png"

        def handle(self) -> None: ...

    class Rotate(Resize, kw_only=True, tries=2):
        angle: int

        def handle(self) -> None: ...

    assert Rotate("b.png", angle=90) == Rotate(path="b.png", angle=90)
    assert definition(Rotate).options.tries == 2
