"""How a chain goes on, and what is sent when it does not: messages, and how they are sent."""

from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
from msgspec import Raw

from packhorse.driver.message import Sent
from packhorse.flow.chains import link_id
from packhorse.flow.link import decode, message_of
from packhorse.flow.mark import marked
from packhorse.ids import derived_id
from packhorse.sending import tell_keys
from packhorse.wire.flow import Cause, Chain, Membership

if TYPE_CHECKING:
    from packhorse.app import Packhorse
    from packhorse.connection import Connection
    from packhorse.driver.message import Message

    Outgoing = tuple[Connection, Message]


def next_link(app: "Packhorse", chain: Chain, batch: Membership | None) -> "Outgoing":
    """The message of the first of a chain's links, which carries the others on."""
    first, *rest = chain.links
    place = chain.place + 1
    after = msgspec.structs.replace(chain, place=place, links=tuple(rest))
    return message_of(decode(first), app, link_id(chain.id, place), chain=after, batch=batch)


def unfolded(chain: Chain, portion: tuple[Raw, ...]) -> Chain:
    """A chain whose links in hand are used up, with the next portion of them."""
    links = portion if chain.tail > 1 else (*portion, *chain.last)
    last = chain.last if chain.tail > 1 else ()
    return msgspec.structs.replace(chain, links=links, last=last, tail=chain.tail - 1)


def callbacks(
    app: "Packhorse",
    links: Iterable[Raw],
    parent: UUID,
    label: str,
    *,
    batch: Membership | None = None,
    cause: Cause | None = None,
) -> "list[Outgoing]":
    """The messages of callbacks; their ids follow from the parent's and the label."""
    return [
        message_of(
            decode(link), app, derived_id(parent, f"{label} {number}"), batch=batch, cause=cause
        )
        for number, link in enumerate(links)
    ]


def send_all(app: "Packhorse", outgoing: "Iterable[Outgoing]") -> list[Sent]:
    """Sends messages, one call a connection, and tells whose unique key was taken; one answer a message,
    in no order.

    Raises `ConnectionLost`; sending the same again is safe.
    """
    by: dict[str, tuple[Connection, list[Message]]] = {}
    for connection, message in outgoing:
        by.setdefault(connection.name, (connection, []))[1].append(message)
    answers: list[Sent] = []
    for connection, messages in by.values():
        sent = connection.send(marked(connection, messages))
        tell_keys(app.bus, connection.name, messages, sent)
        answers += sent
    return answers
