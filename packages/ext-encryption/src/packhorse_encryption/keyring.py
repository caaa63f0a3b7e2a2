"""The key ring: keys with ids, the oldest first, of which one is current and the others open old seals.

Its text has one form, wherever it comes from: a line `id = key` for each key, the key being 32 bytes in
base64, and a `*` in front of the id of the current one. Without a `*` the last is current.
"""

import base64
import binascii
import os
import re
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from packhorse.plugin import ConfigError
from packhorse_encryption.settings import EncryptionSettings

SIZE = 32
"""Bytes of a key."""
VARIABLE = "PACKHORSE_KEYS"
PATIENCE = 30.0
"""Seconds that a command may take."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")


class Key(Struct, frozen=True):
    """One key; its bytes are in no repr."""

    id: str
    secret: bytes

    def __repr__(self) -> str:
        return f"<key {self.id}>"


class KeyRing(Struct, frozen=True):
    """The keys by their ids, the oldest first; `source` says for errors where they came from."""

    keys: Mapping[str, Key]
    current: Key
    source: str

    @property
    def oldest(self) -> Key:
        """The key by which unique keys and groups are hashed, so that a new one changes none of them."""
        return next(iter(self.keys.values()))

    def __repr__(self) -> str:
        return f"<key ring from {self.source}: {', '.join(self.keys)}>"


def is_id(text: str) -> bool:
    """Whether a text may be the id of a key."""
    return _ID.fullmatch(text) is not None


def generate(id: str) -> str:
    """The line of a new key."""
    return f"{id} = {base64.b64encode(os.urandom(SIZE)).decode()}"


def read_ring(settings: EncryptionSettings, environ: Mapping[str, str] = os.environ) -> KeyRing:
    """The key ring, from where the settings say; raises `ConfigError`, which shows no key."""
    if settings.file:
        return parse(_of_file(Path(settings.file).expanduser()), f"the file {settings.file}")
    if settings.command:
        return parse(_of_command(settings.command), f"the command {settings.command[0]}")
    variable = settings.environment or VARIABLE
    if not environ.get(variable, "").strip():
        raise ConfigError(
            f"encryption: there are no keys: the variable {variable} is not set, and [encryption] names "
            "neither a file nor a command"
        )
    return parse(environ[variable], f"the variable {variable}")


def parse(text: str, source: str) -> KeyRing:
    """A ring out of its text, in which a comma may stand for a line's end."""
    keys: dict[str, Key] = {}
    current: list[Key] = []
    lines = [line.partition("#")[0].strip() for line in text.replace(",", "\n").splitlines()]
    for number, line in enumerate(filter(None, lines), 1):
        id, _, secret = (part.strip() for part in line.partition("="))
        starred, id = id.startswith("*"), id.removeprefix("*").strip()
        where = f"encryption: {source}, key {number}"
        if not secret or not is_id(id):  # a key that lost its id is not shown as one
            raise ConfigError(f"{where}: a key is written `id = key`, its id in letters and digits")
        if id in keys:
            raise ConfigError(f"{where}: there are two keys called {id!r}")
        keys[id] = Key(id, _secret(secret, f"{where} ({id})"))
        if starred:
            current.append(keys[id])
    if not keys:
        raise ConfigError(f"encryption: {source} holds no keys")
    if len(current) > 1:
        raise ConfigError(f"encryption: {source}: one key is current, and `*` marks {len(current)}")
    if len({key.secret for key in keys.values()}) < len(keys):
        raise ConfigError(f"encryption: {source}: two ids have the same key")
    return KeyRing(keys, current[0] if current else list(keys.values())[-1], source)


def _secret(text: str, where: str) -> bytes:
    try:
        secret = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ConfigError(f"{where}: the key is no base64") from None
    if len(secret) != SIZE:
        raise ConfigError(f"{where}: a key has {SIZE} bytes, and this one {len(secret)}")
    return secret


def _of_file(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(
                    f"encryption: others may use the key file {path} (its mode is "
                    f"{stat.S_IMODE(found.st_mode):04o}): chmod 600 {path}"
                )
            if found.st_uid not in (0, os.geteuid()):
                raise ConfigError(f"encryption: the key file {path} belongs to another user")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"encryption: the key file {path} cannot be read: {reason}") from None


def _of_command(command: tuple[str, ...]) -> str:
    name = command[0]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE
        )
    except OSError as error:
        raise ConfigError(f"encryption: the command {name} cannot run: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConfigError(
            f"encryption: the command {name} gave no keys within {PATIENCE:g} s"
        ) from None
    if done.returncode:  # what it says may hold a key
        raise ConfigError(f"encryption: the command {name} ended with {done.returncode}")
    try:
        return done.stdout.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"encryption: what the command {name} printed is no text") from None
