"""What a worker and the process in which a job runs alone say to each other, and how it travels."""

import struct
from collections.abc import Sequence
from uuid import UUID

import msgspec
from msgspec import Struct

from packhorse.flow.rest import Added
from packhorse.last_resort import Manner
from packhorse.options import Isolation, OptionSet
from packhorse.settings import Settings
from packhorse.wire.envelope import Progress
from packhorse.worker.isolated.errors import Told
from packhorse.worker.isolated.place import Place

_LENGTH = struct.Struct("!I")


class Birth(Struct, frozen=True, tag=True):
    """The first word to a new process: where it stands, and how it is to log.

    `pythonpath` is what the worker itself was given.
    """

    path: Sequence[str]
    pythonpath: str | None
    imports: Sequence[str]
    settings: Settings
    connection: str
    worker: str
    flags: OptionSet
    manner: Manner | None


class Task(Struct, frozen=True, tag=True):
    """A job to run: the delivery's facts, the module that has the job, the limits that hold for it.

    With `wants_result` its result is to come back as bytes; `guarded`: it was led through its guards.
    """

    id: UUID
    queue: str
    body: bytes
    token: bytes
    deliveries: int
    reserved_at: float
    arrived: float
    place: Place
    limits: Isolation
    wants_result: bool
    guarded: bool


class Interrupt(Struct, frozen=True, tag=True):
    """The job is past its time-out."""


class Cancel(Struct, frozen=True, tag=True):
    """The job was cancelled, or its lease is lost."""


class Farewell(Struct, frozen=True, tag=True):
    """The worker is about to end, because of this signal."""

    signal: int


class Ready(Struct, frozen=True, tag=True):
    """The process takes jobs."""


class Said(Struct, frozen=True, tag=True):
    """How far the job has come, as it said for so many times."""

    number: int
    progress: Progress


class Wish(Struct, frozen=True):
    """What the job asked for; `error` belongs to a wish to fail."""

    kind: str
    delay: float = 0.0
    why: str = ""
    error: Told | None = None


class Flow(Struct, frozen=True):
    """What the job did to what comes after it: handed it over to somebody else, or added links."""

    handed_over: bool = False
    added: Added | None = None


class Ended(Struct, frozen=True, tag=True, omit_defaults=True):
    """How the run ended. `refused` says that it did not start, `unkept` why its result cannot travel."""

    ran: bool = True
    skipped: bool = False
    timed_out: bool = False
    error: Told | None = None
    wish: Wish | None = None
    flow: Flow | None = None
    said: Said | None = None
    result: bytes | None = None
    unkept: Told | None = None
    refused: str | None = None


Order = Birth | Task | Interrupt | Cancel | Farewell
Answer = Ready | Said | Ended

_encode = msgspec.json.Encoder().encode
read_order = msgspec.json.Decoder(Order).decode
read_answer = msgspec.json.Decoder(Answer).decode


def write(frame: Order | Answer) -> bytes:
    """A frame as bytes, its length in front."""
    data = _encode(frame)
    return _LENGTH.pack(len(data)) + data


def cut(buffer: bytearray) -> bytes | None:
    """Takes the first whole frame out of what has arrived; None if there is none yet."""
    if len(buffer) < _LENGTH.size:
        return None
    end = _LENGTH.size + _LENGTH.unpack_from(buffer)[0]
    if len(buffer) < end:
        return None
    frame = bytes(buffer[_LENGTH.size : end])
    del buffer[:end]
    return frame
