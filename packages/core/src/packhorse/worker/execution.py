"""One attempt, from a delivery to its verdict; what every kind of runner has in common.

`prepare` opens the message and decides whether it runs, `run` or `run_async` runs it, `conclude`
decides what follows. No thread is started and no broker is called here.
"""

import asyncio
import random
from types import CoroutineType
from typing import TYPE_CHECKING

import msgspec
from msgspec import UNSET, Raw, Struct

from packhorse.context import Fail, JobContext, enter, leave
from packhorse.definition import Definition
from packhorse.driver.message import Delivery
from packhorse.errors import InvalidPayload, JobTimedOut, PackhorseError
from packhorse.middleware.compose import Onion
from packhorse.options import NOTHING, Middleware
from packhorse.wire.envelope import Body, Envelope
from packhorse.wire.seal import arguments, open_body
from packhorse.worker.attempt import Bury, Ending, Facts, Finish, Policy, Verdict, after, before
from packhorse.worker.briefing import brief
from packhorse.worker.failure import text_of
from packhorse.worker.passage import Passage
from packhorse.worker.plan import hard_time_out
from packhorse.worker.policy import read_overrides
from packhorse.worker.site import Site
from packhorse.worker.time_up import TimeUp, was_stopped

if TYPE_CHECKING:
    from collections.abc import Callable

    from packhorse.worker.claims import Claimed


_RETURNED = Ending()


class Execution:
    """One delivery in the hands of a worker, and how far it has come.

    All moments are of the monotonic clock: `arrived`, when the worker got it; `deadline`, the end of
    its lease, moved on by renewals; `started`, 0.0 until the handler starts. `cancelled` and `lost`
    are what a renewal brought to light, `at_ceiling` that there will be no other. `stop` interrupts
    the handler where its runner can. `passage` is there for what was let through its guards, `claimed`
    for what has a unique key that a store keeps, `line` is its place on the process's board, and
    `isolated` says that it runs in a process of its own.
    """

    __slots__ = (
        "arguments",
        "arrived",
        "at_ceiling",
        "body",
        "cancelled",
        "claimed",
        "context",
        "deadline",
        "definition",
        "delivery",
        "duration",
        "envelope",
        "facts",
        "isolated",
        "line",
        "lost",
        "passage",
        "policy",
        "portion",
        "result",
        "site",
        "started",
        "stop",
        "timed_out",
        "verdict",
    )

    arguments: Struct
    facts: Facts
    policy: Policy
    context: JobContext

    def __init__(
        self,
        site: Site,
        delivery: Delivery,
        envelope: Envelope,
        definition: Definition,
        arrived: float = 0.0,
    ) -> None:
        self.site = site
        self.delivery = delivery
        self.envelope = envelope
        self.definition = definition
        self.arrived = arrived
        self.deadline = delivery.deadline
        self.body: Body | None = None
        self.verdict: Verdict | None = None
        self.passage: Passage | None = None
        self.claimed: Claimed | None = None
        self.portion: tuple[Raw, ...] = ()
        self.result: object = None
        self.line: int | None = None
        self.started = 0.0
        self.duration = 0.0
        self.isolated = False
        self.cancelled = False
        self.lost = False
        self.at_ceiling = False
        self.timed_out = False
        self.stop: Callable[[Execution], None] | None = None

    def open(self) -> None:
        """Opens the message; `verdict` is set if it will not run, `body` is what could be read."""
        delivery = self.delivery
        try:
            self._refuse_unsealed()
            self.body = open_body(self.envelope, self.site.codecs, Body)
        except PackhorseError as error:
            self.verdict = Bury(str(error), error)
        if delivery.superseded:
            self.verdict = Finish("superseded")
        elif delivery.cancelled:
            self.verdict = Finish("cancelled")

    def prepare(self) -> Verdict | None:
        """Makes an opened message ready to run, once; else what becomes of it without running."""
        if self.verdict is not None or self.body is None or self.passage is not None:
            return self.verdict
        return self.ready(self.body) or before(self.facts, self.policy)

    def ready(self, body: Body) -> Bury | None:
        """Makes it ready to run; else why it cannot."""
        delivery, envelope = self.delivery, self.envelope
        try:
            self.arguments = self.fresh_arguments()
            policy = self.site.policies.of(
                self.definition, self.arguments, body.overrides, body.until is not None
            )
            if policy.keep_result:
                self.site.connection.require_store()
            self.policy = policy
        except PackhorseError as error:
            return Bury(str(error), error)
        except BaseException as error:  # a method of the user's job raised
            reason = f"an option of job {envelope.job} could not be computed: {text_of(error)}"
            return Bury(reason, error)
        lost = envelope.lost + delivery.deliveries - 1
        self.facts = Facts(delivery.reserved_at, envelope.failed, lost, body.until, body.expires)
        self.context = brief(self, body)
        return None

    def cannot_be_stopped(self, grace: float, now: float) -> bool:
        """Whether it has run on for `grace` seconds after its time-out."""
        return not self.isolated and hard_time_out(self.started, self.policy.timeout, grace, now)

    @property
    def keep_result(self) -> float:
        """For how many seconds its end is kept, as far as can be told of what was not opened."""
        policy = getattr(self, "policy", None)
        if policy is not None:
            return policy.keep_result  # type: ignore[no-any-return]
        try:
            self.site.connection.require_store()
            body = self.body
            over = NOTHING if body is None else read_overrides(self.envelope.job, body.overrides)
        except PackhorseError:
            return 0.0
        said = self.definition.options if over.keep_result is UNSET else over
        return said.keep_result or 0.0

    def fresh_arguments(self) -> Struct:
        """A copy of the arguments out of the message; raises `InvalidPayload` if they do not fit."""
        assert self.body is not None  # or it would not run
        serializer = self.site.connection.serializer(self.body.ser)
        return self.definition.decode(arguments(self.body), serializer)

    def run(self) -> Ending:
        """Runs a `def` handler in this thread, its middleware round it."""
        context = self.context
        token = enter(context)
        try:
            onion, middleware = self._around()
            if middleware or onion is not None:
                return self._run_through(onion or Onion(), middleware)
            self._call()
        except BaseException as error:
            return self.ending(error)
        finally:
            leave(token)
        return self.ending(None)

    async def run_async(self) -> Ending:
        """Runs an `async def` handler in this task, its middleware round it."""
        context = self.context
        token = enter(context)
        try:
            onion, middleware = self._around()
            if middleware or onion is not None:
                return await self._run_async_through(onion or Onion(), middleware)
            context.ran = True
            self.result = await self.definition.run(context, self.arguments)  # type: ignore[misc]
        except BaseException as error:
            return self.ending(error)
        finally:
            leave(token)
        return self.ending(None)

    def ending(self, error: BaseException | None, skipped: bool = False) -> Ending:
        """How the run ended, given what it raised."""
        wish = self.context.wish
        if error is None and wish is None and not skipped:
            return _RETURNED
        if self.timed_out and isinstance(error, TimeUp | asyncio.CancelledError):
            stopped = JobTimedOut(
                f"job {self.envelope.job}: stopped after its timeout of {self.policy.timeout:g} s"
            )
            stopped.__traceback__ = error.__traceback__
            return Ending(stopped, timed_out=True, wish=wish)
        return Ending(error, self.timed_out and was_stopped(error), wish, skipped)

    def conclude(self, ending: Ending) -> Verdict:
        """What follows from how the run ended."""
        if self.cancelled and ending.error is not None and not isinstance(ending.wish, Fail):
            return Finish("cancelled")  # it was told to end, and however it did so is no failure
        if ending is _RETURNED:
            return _DONE
        facts = msgspec.structs.replace(self.facts, now=self.facts.now + self.duration)
        try:
            return after(facts, self.policy, ending, random.random())
        except BaseException as error:  # a backoff method of the user's job raised
            return Bury(f"the backoff of job {self.envelope.job} raised: {text_of(error)}", error)

    def middleware(self) -> tuple[Middleware, ...]:
        """What goes round the handler, outermost first; raises what a method of the job's raises."""
        own = self.definition.middleware(self.arguments)
        return (*self.site.middleware, *own) if own else self.site.middleware

    def _refuse_unsealed(self) -> None:
        """Raises `InvalidPayload` for a message that left out a codec which its job has to go through."""
        connection, said = self.site.connection, self.definition.options.codecs
        for codec in connection.codecs(None if said is UNSET else said):
            if codec.required and codec.name not in self.envelope.enc:
                raise InvalidPayload(
                    f"job {self.envelope.job}: the message did not go through the codec {codec.name!r}, "
                    "which is required here: it was not sent by an app with these settings"
                )

    def _call(self) -> None:
        """Runs a `def` handler."""
        self.context.ran = True
        self.result = result = self.definition.run(self.context, self.arguments)
        if type(result) is CoroutineType:
            result.close()
            raise TypeError(
                f"job {self.envelope.job}: it gave back a coroutine, which nobody awaits; "
                "make it an async def"
            )

    def _around(self) -> tuple[Onion[JobContext] | None, tuple[Middleware, ...]]:
        """The guards that have let it through already, and what is to be entered yet."""
        passage = self.passage
        return (None, self.middleware()) if passage is None else (passage.onion, passage.inner)

    def _run_through(self, onion: Onion[JobContext], middleware: tuple[Middleware, ...]) -> Ending:
        skipped, error = False, None
        try:
            skipped = not onion.enter(middleware, self.context)
            if not skipped:
                self._call()
        except BaseException as raised:
            error = raised
        return self.ending(onion.leave(self.result, error), skipped)

    async def _run_async_through(
        self, onion: Onion[JobContext], middleware: tuple[Middleware, ...]
    ) -> Ending:
        skipped, error = False, None
        try:
            skipped = not onion.enter(middleware, self.context)
            if not skipped:
                self.context.ran = True
                self.result = await self.definition.run(self.context, self.arguments)  # type: ignore[misc]
        except BaseException as raised:
            error = raised
        return self.ending(onion.leave(self.result, error), skipped)


_DONE = Finish("done")
