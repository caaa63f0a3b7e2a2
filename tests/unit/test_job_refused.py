"""Class jobs that cannot work are refused when the class is made, with what to write instead."""

from typing import Any, ClassVar

import pytest

from packhorse import Job, JobDefinitionError, registry


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
