"""How a chain goes on when one of its links, a batch, is over: told by whoever ends the batch."""

from typing import TYPE_CHECKING

from packhorse.flow.chains import ChainState, ended, portion_key, used
from packhorse.flow.ledger import How
from packhorse.flow.link import read_portion
from packhorse.flow.step import callbacks, next_link, send_all, unfolded
from packhorse.wire.flow import Cause, Chain, Rest

if TYPE_CHECKING:
    from packhorse.app import Packhorse

_STATES: dict[How, ChainState] = {"done": "succeeded", "failed": "failed", "dropped": "cancelled"}


def go_on(app: "Packhorse", rest: Rest, how: How, cause: Cause) -> How | None:
    """Sends the next link, or what the chain catches with; how the chain ended, None if it goes on.

    Raises `ConnectionLost`, and what stands in the way of a message; it may be repeated.
    """
    chain = rest.chain
    if chain is None:
        return how
    if how == "done":
        chain = _in_hand(app, chain)
        if chain.links:
            (answer,) = send_all(app, [next_link(app, chain, rest.batch)])
            if answer.state != "taken":
                return None
            _end(app, chain, "skipped")
            return "dropped"
    elif how == "failed":
        send_all(app, callbacks(app, chain.catch, chain.id, "catch", cause=cause))
    _end(app, chain, _STATES[how])
    return how


def _in_hand(app: "Packhorse", chain: Chain) -> Chain:
    """The chain with its next links, out of the store if they lie there."""
    if chain.links or not chain.tail:
        return chain
    store = app.connection(chain.store).store
    (value,) = store.read([portion_key(chain.id, chain.tail)])
    store.apply([used(chain, settled=False)])
    return unfolded(chain, read_portion(value, app.formats.known_codecs()))


def _end(app: "Packhorse", chain: Chain, state: ChainState) -> None:
    if chain.store:
        app.connection(chain.store).store.apply([ended(chain, state)])
