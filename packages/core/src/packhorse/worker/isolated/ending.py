"""What the worker makes of a run that took place in another process, or did not come to its end there."""

import signal
from pathlib import Path

import packhorse
from packhorse import context as asked
from packhorse.errors import JobCrashed, JobTimedOut
from packhorse.options import Isolation
from packhorse.worker.attempt import Ending
from packhorse.worker.execution import Execution
from packhorse.worker.failure import TRACEBACK, text_of
from packhorse.worker.isolated.errors import rebuilt
from packhorse.worker.isolated.frames import Ended, Wish
from packhorse.worker.isolated.process import Process
from packhorse.worker.reaper import told

LINES, LENGTH = 8, 700
"""How many of the last lines, and of their characters, are part of an error's text."""


def ended(execution: Execution, answer: Ended) -> Ending:
    """A run that came to its end: what it asked for is taken over as if it had run here."""
    if answer.refused is not None:
        return not_started(execution, JobCrashed(answer.refused))
    context = execution.context
    context.ran = answer.ran
    context.wish = None if answer.wish is None else _wish(answer.wish)
    if answer.said is not None:
        context.reported = answer.said.number, answer.said.progress
    around = context.surroundings
    if answer.flow is not None and around is not None:
        around.handed_over = answer.flow.handed_over
        rest = around.chain()
        if answer.flow.added is not None and rest is not None:
            rest.added = answer.flow.added
    if answer.unkept is not None and execution.policy.keep_result:
        error = rebuilt(answer.unkept)
        context.wish = asked.Fail(f"its result cannot be kept: {text_of(error)}", error)
    elif answer.result is not None and execution.body is not None:
        serializer = execution.site.connection.serializer(execution.body.ser)
        execution.result = execution.definition.result.decode(answer.result, serializer)
    raised = None if answer.error is None else rebuilt(answer.error)
    return _out(execution, raised, timed_out=answer.timed_out, skipped=answer.skipped)


def not_started(execution: Execution, error: JobCrashed) -> Ending:
    """No process could run it, which is a failure like any other."""
    return _out(execution, JobCrashed(f"job {execution.envelope.job}: {error}"))


def timed_out(execution: Execution) -> Ending:
    """It went on after its time-out, and its process was killed."""
    error = JobTimedOut(
        f"job {execution.envelope.job}: stopped, with its process, after its timeout of "
        f"{execution.policy.timeout:g} s"
    )
    return _out(execution, error, timed_out=True)


def crashed(execution: Execution, process: Process) -> Ending:
    """It took its process down, or somebody killed that."""
    job, isolate, died = execution.envelope.job, execution.policy.isolate, process.died
    assert died is not None
    if died.code == -signal.SIGXCPU and isinstance(isolate, Isolation) and isolate.cpu:
        return _out(
            execution, JobCrashed(f"job {job}: it used more than its {isolate.cpu} s of CPU")
        )
    words = process.last_words()
    error = JobCrashed(f"job {job}: its process {process.pid} was {told(died)}{_last(words)}")
    setattr(error, TRACEBACK, words)
    return _out(execution, error, crashed=True)


def _out(
    execution: Execution,
    error: BaseException | None,
    *,
    timed_out: bool = False,
    skipped: bool = False,
    crashed: bool = False,
) -> Ending:
    """How it ended for whoever stands outside: guards have been entered here, and are left here."""
    passage = execution.passage
    if passage is not None:
        error = passage.variables.run(passage.onion.leave, execution.result, error)
    timed_out = timed_out and error is not None
    return Ending(error, timed_out, execution.context.wish, skipped, crashed)


def _wish(wish: Wish) -> asked.Wish:
    if wish.kind == "release":
        return asked.Release(wish.delay, wish.why)
    if wish.kind == "delete":
        return asked.Delete(wish.why)
    return asked.Fail(wish.why, None if wish.error is None else rebuilt(wish.error))


def _last(words: str) -> str:
    if not words:
        return "; it had printed nothing"
    lines = [line for line in words.splitlines() if line and not any(map(line.count, _NO_NEWS))]
    text = "\n".join(lines[-LINES:])[-LENGTH:]
    return f"; the last that it printed:\n{text}"


_NO_NEWS = (f'"{Path(packhorse.__file__).parent}', '"<frozen ', "Extension modules: ")
"""What a crash prints that everybody knows: how the handler came to be called."""
