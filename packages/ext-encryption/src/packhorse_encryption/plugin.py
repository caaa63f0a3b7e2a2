"""What this package offers: a codec and its table of settings."""

from packhorse.plugin import CodecSpec, SettingSpec, hookimpl


@hookimpl
def packhorse_codecs() -> list[CodecSpec]:
    return [CodecSpec("encryption", "packhorse_encryption.codec:from_settings")]


@hookimpl
def packhorse_settings() -> list[SettingSpec]:
    return [SettingSpec("encryption", "packhorse_encryption.settings:EncryptionSettings")]
