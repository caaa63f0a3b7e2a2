"""What this package offers: a codec, its table of settings, and commands for its keys."""

from packhorse.plugin import CodecSpec, CommandSpec, SettingSpec, hookimpl


@hookimpl
def packhorse_codecs() -> list[CodecSpec]:
    return [CodecSpec("encryption", "packhorse_encryption.codec:from_settings")]


@hookimpl
def packhorse_settings() -> list[SettingSpec]:
    return [SettingSpec("encryption", "packhorse_encryption.settings:EncryptionSettings")]


@hookimpl
def packhorse_commands() -> list[CommandSpec]:
    return [
        CommandSpec(
            "keys",
            "packhorse_encryption.commands:keys",
            summary="Make and look through the keys that seal messages.",
        ),
        CommandSpec(
            "rotate",
            "packhorse_encryption.commands:rotate_",
            summary="Seal messages anew under the current key.",
        ),
    ]
