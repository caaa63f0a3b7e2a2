"""Asks the stores what guards want to know, for all jobs of a reservation or of a settling at once."""

from collections.abc import Iterable, Sequence
from typing import cast

from msgspec import UNSET

from packhorse.errors import ConnectionLost, PackhorseError
from packhorse.middleware.guard import is_guard
from packhorse.options import Middleware
from packhorse.store.contract import Equals, Expire, Group
from packhorse.store.update import Told, Update, perform
from packhorse.worker.attempt import Bury
from packhorse.worker.execution import Execution
from packhorse.worker.masking import shown
from packhorse.worker.passage import Passage
from packhorse.worker.records import complain, facts
from packhorse.worker.telling import tell_attempted

Asked = tuple[Execution, Update]


def may_be_guarded(execution: Execution) -> bool:
    """Whether a job may have guards; what a method of its says is known only once it is asked."""
    definition = execution.definition
    if "middleware" in definition.methods:
        return True
    own = definition.options.middleware
    if own is not UNSET and any(map(is_guard, cast("Sequence[Middleware]", own))):
        return True
    return any(map(is_guard, execution.site.middleware))


def admit(executions: Iterable[Execution]) -> None:
    """Leads executions through their guards; sets the verdict of those that do not come through.

    Raises `ConnectionLost`: what came through by then is to be given back.
    """
    asked: list[Asked] = []
    entered = []
    for execution in executions:
        request = _enter(execution)
        if execution.passage is not None:
            entered.append(execution)
        if request is not None:
            asked.append((execution, request))
    while asked:
        told = _perform(asked)
        asked = [
            (execution, request)
            for (execution, _), one in zip(asked, told, strict=True)
            if (request := _go_on(execution, one)) is not None
        ]
    for execution in entered:
        _judge(execution)


def finish(executions: Sequence[Execution]) -> None:
    """Carries out what guards want once their jobs have ended, or will not start.

    Raises `ConnectionLost`; then it is to be called again.
    """
    asked: list[Asked] = []
    for execution in executions:
        passage = execution.passage
        if passage is not None:
            if not execution.started:
                passage.leave()
            asked += [(execution, update) for update in passage.onion.asked]
    for (execution, _), told in zip(asked, _perform(asked), strict=True):
        if told.error is not None:
            text = "what its middleware wanted written after it could not be"
            complain(facts(execution), text, shown(execution, told.error))
    for execution, _ in asked:
        assert execution.passage is not None
        execution.passage.onion.asked = ()


def keep(executions: Iterable[Execution]) -> None:
    """Gives what guards hold another lease; raises `ConnectionLost`."""
    by: dict[str, list[Group]] = {}
    for execution in executions:
        if execution.passage is not None:
            lease = execution.site.connection.settings.lease
            for name, hold in execution.passage.held:
                renewed = Group(
                    [Expire(hold.key, lease)], [Equals(hold.key, hold.value)], partition=hold.key
                )
                by.setdefault(name, []).append(renewed)
                app = execution.site.app
    for name, groups in by.items():
        app.connection(name).store.apply(groups)


def _enter(execution: Execution) -> Update | None:
    execution.verdict = execution.prepare()
    if execution.verdict is not None:
        return None
    try:
        around = execution.middleware()
    except BaseException as error:  # a method of the user's job raised
        passage = execution.passage = Passage(execution.context, (), ())
        passage.error = error
        return None
    guards = tuple(filter(is_guard, around))
    inner = tuple(one for one in around if not is_guard(one)) if guards else around
    execution.passage = Passage(execution.context, guards, inner)
    return execution.passage.start()


def _go_on(execution: Execution, told: Told) -> Update | None:
    if execution.verdict is not None:
        return None  # there is no store to ask
    assert execution.passage is not None
    return execution.passage.tell(told)


def _judge(execution: Execution) -> None:
    """What becomes of an execution that has taken all steps."""
    passage = execution.passage
    assert passage is not None
    if execution.verdict is None and passage.through and passage.error is None:
        return
    error = passage.leave()
    if execution.verdict is None:
        ending = execution.ending(error, skipped=error is None)
        if error is not None:
            tell_attempted(execution, ending)
        execution.verdict = execution.conclude(ending)


def _perform(asked: Sequence[Asked]) -> list[Told]:
    """What came of each request, in one go for each store; buries what asks where no store is."""
    told = [Told()] * len(asked)
    by: dict[str, list[int]] = {}
    for index, (execution, update) in enumerate(asked):
        by.setdefault(update.store or execution.site.connection.name, []).append(index)
    for name, places in by.items():
        site = asked[places[0]][0].site
        try:
            store = site.app.connection(name).store
        except ConnectionLost:
            raise
        except PackhorseError as error:
            for index in places:
                execution = asked[index][0]
                job = execution.envelope.job
                execution.verdict = Bury(f"middleware of job {job} needs a store: {error}", error)
            continue
        updates = [asked[index][1] for index in places]
        answers = perform(store, updates, site.connection.settings.lease)
        for index, answer in zip(places, answers, strict=True):
            told[index] = answer
            passage = asked[index][0].passage
            if answer.held and passage is not None:
                passage.held += tuple((name, hold) for hold in answer.held)
    return told
