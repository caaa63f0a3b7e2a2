"""Asks the stores, once for a whole reservation, what its jobs must know before they start."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from packhorse.errors import InvalidPayload, PackhorseError
from packhorse.flow.chains import cancel_key, portion_key
from packhorse.flow.ledger import batch_key
from packhorse.flow.link import KNOWN, read_portion
from packhorse.flow.mark import taken_up
from packhorse.worker.asking import admit, may_be_guarded
from packhorse.worker.attempt import Bury, Finish
from packhorse.worker.claims import claim_keys, has_claim
from packhorse.worker.execution import Execution

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.store.contract import Value


def asks(execution: Execution) -> bool:
    """Whether a job has to pass the gate; most have not."""
    body = execution.body
    if body is None:
        return False
    return bool(body.batch or body.chain or body.mark or body.unique) or may_be_guarded(execution)


class Gate:
    """Decides whether jobs of chains and batches, copies of jobs, unique ones whose key a store keeps,
    and those with guards may start.

    Used by the fetching thread.
    """

    def __init__(self, app: "Packhorse") -> None:
        self._app = app

    def admit(self, executions: Sequence[Execution]) -> list[Execution]:
        """Gives those that are no copies of what was taken up before; see `flow/mark.py`.

        Sets the verdict of those that will not run, hands the others what the store has of their
        chain, and leads them through their guards. Raises `ConnectionLost`.
        """
        executions = self._take_up(executions)
        wanted: dict[str, dict[str, Value | None]] = {}
        for execution in executions:
            for name, key in _keys(execution):
                wanted.setdefault(name, {})[key] = None
        for name, values in wanted.items():
            try:
                store = self._app.connection(name).store
            except PackhorseError as error:  # the batch is kept where this process cannot look
                for execution in executions:
                    if any(one == name for one, _ in _keys(execution)):
                        execution.verdict = Bury(str(error), error)
                continue
            values.update(zip(values, store.read(list(values)), strict=True))
        for execution in executions:
            self._judge(execution, wanted)
        unique = [one for one in executions if has_claim(one)]
        if unique:
            claim_keys(self._app, unique)
        admit(one for one in executions if one.verdict is None and may_be_guarded(one))
        return executions

    def _take_up(self, executions: Sequence[Execution]) -> list[Execution]:
        pairs = [
            (one, taken_up(one.delivery.message.id, one.body.mark, KNOWN))
            for one in executions
            if one.body is not None and one.body.mark
        ]
        if not pairs:
            return list(executions)
        store = pairs[0][0].site.connection.store
        answers = store.apply([group for _, groups in pairs for group in groups])[1::2]
        copies = {
            id(one) for (one, _), answer in zip(pairs, answers, strict=True) if answer is None
        }
        return [one for one in executions if id(one) not in copies]

    def _judge(self, execution: Execution, wanted: "dict[str, dict[str, Value | None]]") -> None:
        body = execution.body
        if execution.verdict is not None or body is None:
            return
        chain, batch = body.chain, body.batch
        cancelled = (
            batch is not None
            and batch.member
            and wanted[batch.store][batch_key(batch.id, "cancelled")]
        )
        if chain is not None and chain.store:
            values = wanted[chain.store]
            cancelled = cancelled or values[cancel_key(chain.id)]
            if chain.tail and not chain.links:
                try:
                    value = values[portion_key(chain.id, chain.tail)]
                    execution.portion = read_portion(value, execution.site.codecs)
                except InvalidPayload as error:
                    execution.verdict = Bury(str(error), error)
        if cancelled:
            execution.verdict = Finish("cancelled")


def _keys(execution: Execution) -> list[tuple[str, str]]:
    """What is to be read for a job: the store's connection, and the key."""
    body = execution.body
    if body is None:
        return []
    keys = []
    if body.batch is not None and body.batch.member:
        keys.append((body.batch.store, batch_key(body.batch.id, "cancelled")))
    if body.chain is not None and body.chain.store:
        chain = body.chain
        keys.append((chain.store, cancel_key(chain.id)))
        if chain.tail and not chain.links:
            keys.append((chain.store, portion_key(chain.id, chain.tail)))
    return keys
