"""Class jobs: their fields are the payload and clash with nothing; what cannot work is refused at once."""

from collections.abc import Sequence
from typing import Any, ClassVar

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
    assert bytes(definition(Resize).encode(one)) == b'{"path":"a.png","width":5}'  # type: ignore[arg-type]
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
        definition(Refers).encode(made)  # type: ignore[arg-type]


def options_as_attributes() -> None:
    class Attributes(Job):
        tries = 3

        def handle(self) -> None: ...


def options_as_class_variables() -> None:
    class Variables(Job):
        queue: ClassVar[str] = "low"

        def handle(self) -> None: ...


def options_as_lists() -> None:
    class Lists(Job):
        backoff = [1, 5]  # noqa: RUF012

        def handle(self) -> None: ...


def a_shadowed_field() -> None:
    class Base(Job):
        width: int = 1

    class Shadow(Base):
        width = 2

        def handle(self) -> None: ...


def a_reserved_name() -> None:
    class Reserved(Job):
        dispatch: str  # type: ignore[assignment]

        def handle(self) -> None: ...


def an_unknown_option() -> None:
    class Unknown(Job, quue="low"):  # type: ignore[call-arg]
        def handle(self) -> None: ...


def a_wrong_option() -> None:
    class WrongOption(Job, tries="3"):  # type: ignore[arg-type]
        def handle(self) -> None: ...


def a_property() -> None:
    class Property(Job):
        @property
        def queue(self) -> str:
            return "low"

        def handle(self) -> None: ...


def a_class_method() -> None:
    class ClassMethod(Job):
        @classmethod
        def backoff(cls, failures: int) -> float:
            return 1.0

        def handle(self) -> None: ...


def a_static_method() -> None:
    class StaticMethod(Job):
        @staticmethod
        def unique_id() -> str:
            return "x"

        def handle(self) -> None: ...


def a_coroutine_for_an_option() -> None:
    class Coroutine(Job):
        async def tries(self) -> int:
            return 1

        def handle(self) -> None: ...


def a_failed_that_would_not_be_awaited() -> None:
    class Failed(Job):
        async def failed(self, error: BaseException) -> None: ...

        def handle(self) -> None: ...


def a_generator() -> None:
    class Generator(Job):
        def handle(self) -> Any:
            yield 1


def a_static_handle() -> None:
    class Static(Job):
        @staticmethod
        def handle() -> None: ...


def a_handle_with_an_argument() -> None:
    class Argument(Job):
        def handle(self, path: str) -> None: ...


def a_handle_with_a_bare_argument() -> None:
    class Bare(Job):
        def handle(self, ctx) -> None: ...  # type: ignore[no-untyped-def]


def a_field_that_cannot_travel() -> None:
    class Object(Job):
        a: object

        def handle(self) -> None: ...


REFUSED = [
    (options_as_attributes, r"write the option as a keyword, class …\(Job, tries=3\), or annotate"),
    (options_as_class_variables, r"write the option as a keyword, class …\(Job, queue='low'\)"),
    (options_as_lists, r"write the option as a keyword, class …\(Job, backoff=\[1, 5\]\)"),
    (a_shadowed_field, "'width' is a field of a base class; annotate it to change its default"),
    (a_reserved_name, "a field cannot be called 'dispatch', a method of Job"),
    (an_unknown_option, "there is no option 'quue'; did you mean 'queue'"),
    (a_wrong_option, "wrong option: Expected `int.*`, got `str` - at `[$].tries`"),
    (a_property, r"queue must be an ordinary method, def queue\(self, …\)"),
    (a_class_method, "backoff must be an ordinary method"),
    (a_static_method, "unique_id must be an ordinary method"),
    (a_coroutine_for_an_option, "tries must be an ordinary method"),
    (a_failed_that_would_not_be_awaited, "failed must be an ordinary method"),
    (a_generator, "a generator cannot be a job"),
    (a_static_handle, r"handle must be an ordinary method, def handle\(self\)"),
    (a_handle_with_an_argument, "handle takes nothing but self and, if it likes, a JobContext"),
    (a_handle_with_a_bare_argument, "handle takes nothing but self"),
    (a_field_that_cannot_travel, "argument 'a': object cannot travel"),
]


@pytest.mark.parametrize(("define", "what"), REFUSED, ids=[f.__name__ for f, _ in REFUSED])
def test_a_class_that_cannot_work(define: Any, what: str) -> None:
    with pytest.raises(
        JobDefinitionError, match=rf"^job {__name__}\.{define.__name__}\..*: {what}"
    ):
        define()
    assert not [name for name in registry.names() if define.__name__ in name]


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
