"""A job as a value, with its arguments and overrides, before it is sent."""

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar, Unpack

from msgspec import Struct

from packhorse.definition import Definition
from packhorse.options import NOTHING, Options, OptionSet, check, merge

if TYPE_CHECKING:
    from packhorse.handle import JobHandle

R_co = TypeVar("R_co", covariant=True)


class Dispatchable(Protocol[R_co]):
    """What can be pushed: a `Job`, or a `Pending`."""

    def _pending(self) -> "Pending[R_co]": ...


class Pending(Generic[R_co]):
    """One job that is ready to go: `dispatch` it, or give it to `Queue.push` and the like.

    Immutable; it may be dispatched many times, each time as a new message.
    """

    __slots__ = ("arguments", "definition", "overrides")

    def __init__(
        self, definition: Definition, arguments: Struct, overrides: OptionSet = NOTHING
    ) -> None:
        self.definition = definition
        self.arguments = arguments
        self.overrides = overrides

    def using(self, **options: Unpack[Options]) -> "Pending[R_co]":
        """The same with options for this message only; raises `JobDefinitionError` for wrong ones."""
        more = check(f"job {self.definition.name}", options, message=True)
        return Pending(self.definition, self.arguments, merge(self.overrides, more))

    def dispatch(self) -> "JobHandle[R_co]":
        """Pushes it through the current app; see `Packhorse.dispatch`."""
        from packhorse.current import current_app

        return current_app().dispatch(self)

    async def dispatch_async(self) -> "JobHandle[R_co]":
        """`dispatch` off the event loop."""
        from packhorse.current import current_app

        return await current_app().dispatch_async(self)

    def dispatch_sync(self) -> R_co:
        """Runs it here and now through the whole attempt path; see `Packhorse.dispatch_sync`."""
        from packhorse.current import current_app

        return current_app().dispatch_sync(self)

    def _pending(self) -> "Pending[R_co]":
        return self

    def __repr__(self) -> str:
        return f"<pending {self.definition.name}>"
