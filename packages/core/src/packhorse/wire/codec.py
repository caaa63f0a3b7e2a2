"""The codec contract, version 1: turns a body's bytes into other bytes and back."""

from abc import ABC, abstractmethod

CONTRACT = 1


class Codec(ABC):
    """Encrypts, compresses or stores away what is inside an envelope.

    Called by any thread, dispatching and working alike, so it keeps no state between calls that is
    not guarded. `name` is what stands in the envelope's `enc`. `seals` says that the bytes cannot
    be read without a key, so that no listing shows them opened, and keys of `unique` and `group`
    must not leave in clear either. `required` says that a worker refuses what did not go through it,
    of all jobs that are to: whoever may write to the broker cannot leave the seal away.
    """

    name: str
    seals: bool = False
    required: bool = False

    @abstractmethod
    def encode(self, data: bytes, bound: bytes) -> bytes:
        """The bytes to send; `bound` (version, id and job name) must fit again when they are read."""

    @abstractmethod
    def decode(self, data: bytes, bound: bytes) -> bytes:
        """The bytes that were given to `encode`.

        Raises `DecryptionError` for a missing key or a broken seal, `InvalidPayload` for bytes that
        this codec did not make.
        """

    def hash_key(self, key: str) -> str:
        """What stands for a `unique` or `group` key on the broker; a sealing codec hashes it."""
        return key
