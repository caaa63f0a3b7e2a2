"""Outcomes on their way to the server: what the script that settles is given and answers."""

from collections.abc import Sequence
from uuid import UUID

from msgspec.structs import replace

from packhorse.plugin import Dead, Done, Outcome, Retry, Settled
from packhorse_redis.connection import Arg
from packhorse_redis.moments import span
from packhorse_redis.replies import text
from packhorse_redis.scripts import script
from packhorse_redis.sending import Queues, flat
from packhorse_redis.server import Server
from packhorse_redis.slot import Slot
from packhorse_redis.value import is_plain, pack

TOKEN = 24
"""Bytes of a token: the message's id, and eight that name the reservation."""


def is_of(token: bytes, id: UUID) -> bool:
    """Whether a token is one of this message; what else there may be is nobody's."""
    return len(token) == TOKEN and token.startswith(id.bytes)


def settle(server: Server, slot: Slot, outcomes: Sequence[Outcome]) -> list[Settled]:
    """Settles outcomes in one call; one answer each."""
    queues = Queues()
    plain: dict[str, list[int]] = {}
    others: list[int] = []
    given: list[Arg] = []
    for at, outcome in enumerate(outcomes):
        message, token = outcome.delivery.message, outcome.delivery.token
        if not is_of(token, message.id):
            continue
        if type(outcome) is Done and not outcome.follow and is_plain(message):
            places = plain.get(message.queue)
            if places is None:
                plain[message.queue] = [at]
            else:
                places.append(at)
        else:
            others.append(at)
            given += _told(outcome, queues)
    answers: list[Settled] = ["gone"] * len(outcomes)
    args: list[Arg] = [len(plain)]
    for queue, places in plain.items():
        joined = b"".join([outcomes[at].delivery.token for at in places])
        args += (queues.number(queue), joined)
    if not plain and not given:
        return answers
    args = [*queues.named(), *args, *given]
    letters = text(server.run(script("settle"), slot, queues.names, args))
    settled = [at for places in plain.values() for at in places] + others
    for at, letter in zip(settled, letters, strict=True):
        if letter == 49:  # "1"
            answers[at] = "applied"
    return answers


def _told(outcome: Outcome, queues: Queues) -> list[Arg]:
    """An outcome as the script reads it."""
    message, token = outcome.delivery.message, outcome.delivery.token
    queue = queues.number(message.queue)
    if type(outcome) is Done:
        return ["done", queue, token, len(outcome.follow), *flat(outcome.follow, queues)]
    if type(outcome) is Dead:
        follow = [len(outcome.follow), *flat(outcome.follow, queues)]
        return ["dead", queue, token, outcome.record, *follow]
    if type(outcome) is Retry:
        delay = span(outcome.delay) if outcome.delay > 0 else 0
        return ["retry", queue, token, delay, pack(replace(message, body=outcome.body))]
    return ["return", queue, token]
