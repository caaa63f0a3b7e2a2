"""`packhorse keys …` and `packhorse rotate`."""

from datetime import UTC, datetime
from typing import Protocol

import click
import msgspec

from packhorse import Packhorse
from packhorse.plugin import ConfigError
from packhorse_encryption.codec import EncryptionCodec
from packhorse_encryption.keyring import generate, is_id
from packhorse_encryption.rotation import Needs, needs, rotate

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


class Program(Protocol):
    """What the command line passes to its commands."""

    def app(self) -> Packhorse: ...


@click.group()
def keys() -> None:
    """Make and look through the keys that seal messages."""


@keys.command("generate")
@click.argument("id", required=False)
def generate_(id: str | None) -> None:
    """Print the line of a new key for the key ring; ID is today's date if none is given."""
    name = id or datetime.now(UTC).strftime("%Y-%m-%d")
    if not is_id(name):
        raise click.UsageError(
            f"{name!r} cannot be the id of a key: up to 32 letters, digits, dots, dashes"
        )
    click.echo(generate(name))


@keys.command("list")
@json_option
@click.pass_obj
def list_(program: Program, as_json: bool) -> int:
    """Show the keys, and how many messages need each; a key that is missing ends with 1."""
    app = program.app()
    ring, found = _codec(app).ring, needs(app)
    rows = [
        (id, _role(id, ring.current.id, ring.oldest.id), found.live[id], found.failed[id])
        for id in ring.keys
    ]
    missing = sorted({*found.live, *found.failed} - set(ring.keys))
    rows += [(id, "missing", found.live[id], found.failed[id]) for id in missing]
    if as_json:
        names = ("key", "role", "live", "failed")
        listed = [dict(zip(names, row, strict=True)) for row in rows]
        answer = {"keys": listed, "hashed": found.hashed, "unseen": found.unseen}
        click.echo(msgspec.json.format(msgspec.json.encode(answer)).decode())
    else:
        for row in (("KEY", "ROLE", "LIVE", "FAILED"), *rows):
            click.echo("{:<32}  {:<14}  {:>8}  {:>8}".format(*map(str, row)))
        _remark(found, ring.oldest.id)
    return 1 if missing else 0


@keys.command("check")
@click.pass_obj
def check(program: Program) -> int:
    """Read the key ring, seal and open with each key, and look for messages whose key is missing."""
    app = program.app()
    codec = _codec(app)
    for key in codec.ring.keys.values():
        one = EncryptionCodec(msgspec.structs.replace(codec.ring, current=key))
        assert codec.decode(one.encode(b"probe", _PROBE), _PROBE) == b"probe"
    found = needs(app)
    missing = sorted({*found.live, *found.failed} - set(codec.ring.keys))
    for id in missing:
        count = found.live[id] + found.failed[id]
        click.echo(f"the key {id!r} is missing, and {count} messages need it", err=True)
    _remark(found, codec.ring.oldest.id)
    if not missing:
        click.echo(f"{len(codec.ring.keys)} keys from {codec.ring.source}, none is missing")
    return 1 if missing else 0


@click.command()
@click.pass_obj
def rotate_(program: Program) -> int:
    """Seal waiting, delayed and failed messages anew under the current key.

    It may be stopped and run again. What workers hold is left, and sealed anew when it is put back.
    """
    app = program.app()
    current = _codec(app).ring.current.id
    found = needs(app)
    total = sum(found.live.values()) + sum(found.failed.values())
    total -= found.live[current] + found.failed[current]
    with click.progressbar(length=total, label=f"sealing under {current}") as bar:
        done = rotate(app, current, bar.update)
    click.echo(f"sealed {done.written} messages anew under {current}")
    for name in done.refusing:
        click.echo(
            f"connection {name!r}: its broker cannot list messages or write them anew; keep the old "
            "keys until its queues were empty",
            err=True,
        )
    if done.left:
        click.echo(
            f"{done.left} messages were left: workers hold them, or their key is missing; run it again",
            err=True,
        )
    return 1 if done.left or done.refusing else 0


def _codec(app: Packhorse) -> EncryptionCodec:
    codec = app.formats.codec(EncryptionCodec.name)
    if not isinstance(codec, EncryptionCodec):
        raise ConfigError("the codec 'encryption' is another package's")
    return codec


def _role(id: str, current: str, oldest: str) -> str:
    roles = ["current" if id == current else "opens"]
    return ", ".join(roles + ["hashes"] * (id == oldest))


def _remark(found: Needs, oldest: str) -> None:
    if found.hashed:
        click.echo(
            f"{found.hashed} messages have a unique key or a group, hashed by {oldest}", err=True
        )
    for name in found.unseen:
        click.echo(f"connection {name!r}: its broker cannot list what it holds", err=True)


_PROBE = b'[1,"00000000-0000-7000-8000-000000000000","probe"]'
