"""One execution on its way through its guards, and back out of them if it never starts."""

import contextvars
from collections.abc import Callable, Sequence

from packhorse.context import JobContext, enter
from packhorse.middleware.compose import Onion
from packhorse.options import Middleware
from packhorse.store.update import Hold, Told, Update


class Passage:
    """The guards of one execution, entered step by step; `inner` is what stands inside of them.

    They run in a context of their own, `variables`, in which the job will run. Once all steps are
    taken, `through` says whether it may start; `error` is what a guard raised. `held` is what is kept
    for as long as the job runs, with the connection whose store has it.
    """

    __slots__ = ("_steps", "error", "held", "inner", "onion", "through", "variables")

    def __init__(
        self, context: JobContext, guards: Sequence[Middleware], inner: tuple[Middleware, ...]
    ) -> None:
        self.inner = inner
        self.onion = Onion[JobContext]()
        self.variables = contextvars.copy_context()
        self.variables.run(enter, context)
        self.through = False
        self.error: BaseException | None = None
        self.held: tuple[tuple[str, Hold], ...] = ()
        self._steps = self.onion.ask(guards, context)

    def start(self) -> Update | None:
        """Runs up to the first request; None: there is none."""
        return self._step(next, self._steps)

    def tell(self, told: Told) -> Update | None:
        """Runs on with what came of the last request, up to the next."""
        if told.error is not None:
            return self._step(self._steps.throw, told.error)
        return self._step(self._steps.send, told.answer)

    def leave(self) -> BaseException | None:
        """Leaves the guards of what has not started; gives the error that is left."""
        self._step(self._steps.close)
        return self.variables.run(self.onion.leave, None, self.error)

    def _step(self, step: Callable[..., Update | None], *given: object) -> Update | None:
        try:
            return self.variables.run(step, *given)
        except StopIteration as end:
            self.through = bool(end.value)
        except BaseException as error:
            self.error = error
        return None
