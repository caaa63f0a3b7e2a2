"""Where a message stands, as the name of its file."""

from uuid import UUID

from msgspec import Struct


class Entry(Struct, frozen=True, order=True):
    """`due` and `end` (of the lease) are in microseconds; `token` is "" while nobody holds it.

    Sorted, entries are in the order in which they fall due and were sent.
    """

    due: int
    number: int
    id: UUID
    deliveries: int = 0
    end: int = 0
    token: str = ""

    @classmethod
    def read(cls, name: str) -> "Entry":
        due, number, id, deliveries, end, token = name.split("-")
        return cls(int(due), int(number), UUID(id), int(deliveries), int(end), token)

    @property
    def name(self) -> str:
        return f"{self.due}-{self.number}-{self.id.hex}-{self.deliveries}-{self.end}-{self.token}"
