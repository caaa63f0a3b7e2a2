"""The codec `encryption`: what is inside a message, sealed by a key of the ring.

A sealed body is: a byte for the form, one for the cipher, one for the length of the key's id, the id,
16 bytes of salt, 12 of nonce, and the ciphertext with its tag of 16 bytes. The cipher's key is
HMAC-SHA256(HKDF(key, "packhorse 1 body " + cipher), salt). Each process draws a salt of its own, and
another now and then: random nonces never become too many for one cipher's key, whatever is sent. All
that stands in front of the nonce, and version, id and job of the message, are associated data.
"""

import hmac
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import count
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from packhorse.plugin import Codec, DecryptionError
from packhorse_encryption.keyring import Key, KeyRing, is_id, read_ring
from packhorse_encryption.settings import Cipher, read_settings

FORM: Final = 1
SALT, NONCE, TAG = 16, 12, 16
RENEWED: Final = 2**24
"""Bodies after which a process draws another salt: far below the 2**32 that NIST SP 800-38D allows."""


class Aead(Protocol):
    """Authenticated encryption with associated data, as `cryptography` has it."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


CIPHERS: Final[Mapping[Cipher, tuple[int, Callable[[bytes], Aead]]]] = {
    "aes-256-gcm": (1, AESGCM),
    "chacha20-poly1305": (2, ChaCha20Poly1305),
}
"""Each cipher's number in a sealed body, and what makes one of a key."""


class _Opener:
    """One key of the ring with one cipher; ciphers of the salts that were seen last are kept."""

    __slots__ = ("cipher", "header")

    def __init__(self, key: Key, cipher: Cipher) -> None:
        number, make = CIPHERS[cipher]
        root = derived(key, f"body {cipher}")
        self.header = bytes((FORM, number, len(key.id))) + key.id.encode()
        self.cipher = lru_cache(256)(lambda salt: make(hmac.digest(root, salt, "sha256")))


class _Sealer:
    """A cipher under a fresh salt, and how many bodies it has sealed."""

    __slots__ = ("cipher", "header", "used")

    def __init__(self, opener: _Opener) -> None:
        salt = os.urandom(SALT)
        self.header = opener.header + salt
        self.cipher = opener.cipher(salt)
        self.used = count()


class EncryptionCodec(Codec):
    """Seals with the current key and opens with any of the ring; safe in any thread.

    It holds keys that were derived from those of the ring, each for one purpose.
    """

    name = "encryption"
    seals = True

    def __init__(
        self, ring: KeyRing, cipher: Cipher = "aes-256-gcm", *, required: bool = False
    ) -> None:
        self.required = required
        self.ring = ring
        openers = {
            (key, each): _Opener(key, each) for key in ring.keys.values() for each in CIPHERS
        }
        self._openers = {opener.header: opener for opener in openers.values()}
        self._current = openers[ring.current, cipher]
        self._sealer = _Sealer(self._current)
        self._hash = derived(ring.oldest, "unique keys")

    def encode(self, data: bytes, bound: bytes) -> bytes:
        sealer = self._sealer
        if next(sealer.used) >= RENEWED:
            self._sealer = sealer = _Sealer(self._current)
        nonce = os.urandom(NONCE)
        return sealer.header + nonce + sealer.cipher.encrypt(nonce, data, sealer.header + bound)

    def decode(self, data: bytes, bound: bytes) -> bytes:
        border = 3 + data[2] if len(data) > 2 else 0
        opener = self._openers.get(data[:border])
        salted, start = border + SALT, border + SALT + NONCE
        if opener is None or len(data) < start + TAG:
            raise DecryptionError(f"{_whose(bound)}: {self._unreadable(data)}")
        try:
            cipher = opener.cipher(data[border:salted])
            return cipher.decrypt(data[salted:start], data[start:], data[:salted] + bound)
        except InvalidTag:
            raise DecryptionError(
                f"{_whose(bound)}: its seal is broken: it was changed, or moved here from another "
                f"job, or another key goes by the id {key_id(data)!r} in {self.ring.source}"
            ) from None

    def hash_key(self, key: str) -> str:
        return blake2b(key.encode(), digest_size=24, key=self._hash).hexdigest()

    def _unreadable(self, data: bytes) -> str:
        id = key_id(data)
        if id is None:
            return "its body was not sealed by packhorse-encryption, or only a part of it is left"
        if id not in self.ring.keys:
            return (
                f"the key {id!r} is not in {self.ring.source}; put it back, restart the workers, "
                "and let the failed job run again"
            )
        return "its seal is broken: only a part of it is left"


def from_settings(table: Mapping[str, object]) -> EncryptionCodec:
    """The codec by its table of the settings; raises `ConfigError` where keys are missing or wrong."""
    settings = read_settings(table)
    return EncryptionCodec(read_ring(settings), settings.cipher, required=settings.require)


def key_id(data: bytes) -> str | None:
    """The id of the key by which a body says that it is sealed; None if it is no sealed body."""
    if len(data) < 3 or data[0] != FORM or data[1] not in (1, 2):
        return None
    id = data[3 : 3 + data[2]].decode("ascii", "replace")
    return id if is_id(id) else None


def derived(key: Key, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose, by HKDF (RFC 5869) with SHA-256."""
    info = f"packhorse 1 {purpose}".encode()
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(key.secret)


def _whose(bound: bytes) -> str:
    _, id, job = msgspec.json.decode(bound, type=tuple[int, str, str])
    return f"job {job} {id}"
