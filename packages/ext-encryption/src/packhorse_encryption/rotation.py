"""Which messages need which key, and sealing them all under the current one."""

from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from packhorse import Packhorse
from packhorse.plugin import Passed, Unsupported, passed, write_anew
from packhorse_encryption.codec import EncryptionCodec, key_id

CODEC = EncryptionCodec.name


class Needs(Struct):
    """How many messages of an app need each key, by its id.

    `hashed` counts those whose unique key or group is a hash by the oldest key. `unseen` are the connections
    whose broker cannot list what it holds.
    """

    live: Counter[str]
    failed: Counter[str]
    hashed: int
    unseen: list[str]


class Rotated(Struct):
    """What a rotation did: how many messages it sealed anew, and how many it had to leave.

    `refusing` are the connections whose broker cannot list, or cannot write a message anew.
    """

    written: int
    left: int
    refusing: list[str]


def needs(app: Packhorse) -> Needs:
    """Looks through all connections; raises `ConnectionLost` where a broker is away."""
    found = Needs(Counter(), Counter(), 0, [])
    for name in app.connections:
        try:
            for page in passed(app.connection(name), CODEC):
                for one in page:
                    dead = one.listed.state == "dead"
                    (found.failed if dead else found.live).update(_keys(one))
                    message = one.listed.message
                    found.hashed += message.unique is not None or message.group is not None
        except Unsupported:
            found.unseen.append(name)
    return found


def rotate(app: Packhorse, current: str, told: Callable[[int], object]) -> Rotated:
    """Seals anew what is sealed under another key than `current`; `told` hears of each page's number.

    It may be stopped and begun again at any time: what is done is not done again. What a worker holds,
    and what cannot be opened, is left. Raises `ConnectionLost` where a broker is away.
    """
    done = Rotated(0, 0, [])
    for name in app.connections:
        connection = app.connection(name)
        try:
            for page in passed(connection, CODEC):
                old = [one for one in page if _keys(one) - {current}]
                written = write_anew(connection, CODEC, old) if old else 0
                done.written += written
                done.left += len(old) - written
                told(len(old))
        except Unsupported:
            done.refusing.append(name)
    return done


def _keys(one: Passed) -> set[str]:
    """The ids of the keys by which a message and its record are sealed."""
    return {key_id(made) or "?" for made in one.made}
