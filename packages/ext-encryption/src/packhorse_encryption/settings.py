"""The table `[encryption]`: where the keys are, and how they are used."""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from packhorse.plugin import ConfigError

Cipher = Literal["aes-256-gcm", "chacha20-poly1305"]


class EncryptionSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """At most one of `file`, `command` and `environment` says where the key ring is.

    `environment` is a variable's name, `PACKHORSE_KEYS` if nothing is said; `command` a program with
    its arguments, which prints the ring. `cipher` is for what is sealed from now on. With `require`, a
    worker refuses messages that are not sealed, of all jobs that are to be.
    """

    environment: str | None = None
    file: str | None = None
    command: tuple[str, ...] = ()
    cipher: Cipher = "aes-256-gcm"
    require: bool = False

    def __post_init__(self) -> None:
        said = [name for name in ("environment", "file", "command") if getattr(self, name)]
        if len(said) > 1:
            raise ValueError(f"the keys come from one place, not from {' and '.join(said)}")


def read_settings(table: Mapping[str, object]) -> EncryptionSettings:
    """The table, checked; raises `ConfigError`, which shows no value."""
    try:
        return msgspec.convert(dict(table), EncryptionSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"[encryption]: {error}") from None
