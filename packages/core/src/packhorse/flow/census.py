"""Where the members of a batch are: on a broker, with the failed jobs, or nowhere."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from packhorse.driver.abilities import Lists
from packhorse.errors import StoreRequired
from packhorse.flow import ledger
from packhorse.flow.chains import chain_key, read_record

if TYPE_CHECKING:
    from packhorse.connection import Connection
    from packhorse.driver.message import Listed
    from packhorse.store.contract import Store

SOME = 1_000
"""Ids that a broker is asked about in one round trip."""


class Census:
    """The brokers that a batch's members may be on, and the stores beside them.

    Raises `ConnectionLost`.
    """

    def __init__(self, connections: "Sequence[Connection]", store: "Store") -> None:
        self._connections = connections
        self._stores = [store]
        for connection in connections:
            try:
                other = connection.store
            except StoreRequired:
                continue
            if all(other is not one for one in self._stores):
                self._stores.append(other)

    def look(
        self, members: Sequence[bytes]
    ) -> "dict[bytes, list[tuple[Connection, Listed]] | None]":
        """What is on the brokers of each; None if it is not, but goes on elsewhere."""
        found: dict[bytes, list[tuple[Connection, Listed]] | None] = {}
        found |= self._listed({one: ledger.job_ids(one) for one in members})
        missing = [one for one in members if not found[one]]
        if missing:
            grown = self._grown(missing)
            found |= self._listed({one: ledger.job_ids(one, more) for one, more in grown.items()})
            missing = [one for one in missing if not found[one]]
            found |= dict.fromkeys(self._in_batches(missing, grown))
        return found

    def _listed(
        self, ids: dict[bytes, list[UUID]]
    ) -> "dict[bytes, list[tuple[Connection, Listed]]]":
        pairs = [(member, id) for member, some in ids.items() for id in some]
        found: dict[bytes, list[tuple[Connection, Listed]]] = {member: [] for member in ids}
        for connection in self._connections:
            driver: object = connection.driver
            assert isinstance(driver, Lists)  # or nobody would ask
            for page in _pages(pairs):
                answers = driver.get([id for _, id in page])
                for (member, _), listed in zip(page, answers, strict=True):
                    if listed is not None:
                        found[member].append((connection, listed))
        return found

    def _grown(self, members: Sequence[bytes]) -> dict[bytes, int]:
        """Chains to which their jobs added links, and how many they have now."""
        names = [chain_key(ledger.chain_of(one)) for one in members]
        found: dict[bytes, int] = {}
        for store in self._stores:
            for one, value in zip(members, store.read(names), strict=True):
                if isinstance(value, bytes):
                    found[one] = max(found.get(one, 0), read_record(value).length)
        return found

    def _in_batches(self, members: Iterable[bytes], grown: dict[bytes, int]) -> Iterator[bytes]:
        """Members of which a link is a batch that is not over, or has not yet sent the next one."""
        values = [value for store in self._stores for value in store.read([ledger.OPEN])]
        running = {one for value in values if isinstance(value, frozenset) for one in value}
        for one in members:
            ids = ledger.job_ids(one, grown.get(one, 0))
            if any(ledger.inner_batch(id).bytes in running for id in ids):
                yield one


def _pages(pairs: Sequence[tuple[bytes, UUID]]) -> Iterator[Sequence[tuple[bytes, UUID]]]:
    return (pairs[start : start + SOME] for start in range(0, len(pairs), SOME))
