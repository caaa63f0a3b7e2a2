"""The Lua files: each script with the keys that it declares and the parts that it is made of.

A script opens with a comment. Its line `keys:` names the keys of the slot that it touches, `each:`
those of each queue, `with:` the parts that stand before it. The names become Lua's: CLOCK is a key,
WAITING(q) that of the q-th queue.
"""

import re
from functools import cache
from hashlib import sha1
from pathlib import Path

from msgspec import Struct

_LUA = Path(__file__).parent / "lua"
_LINE = re.compile(r"^-- (keys|each|with): (.+)$", re.MULTILINE)


class Script(Struct, frozen=True, eq=False):
    """A script as it is sent: its text, the hash by which the server knows it, its keys' names."""

    name: str
    text: str
    sha: bytes
    keys: tuple[str, ...]
    each: tuple[str, ...]


@cache
def script(name: str) -> Script:
    """Reads a script, with its parts."""
    source = (_LUA / f"{name}.lua").read_text()
    said = {kind: tuple(names.split()) for kind, names in _LINE.findall(source)}
    keys, each = said.get("keys", ()), said.get("each", ())
    lines = [f"local {key.upper()} = KEYS[{place}]" for place, key in enumerate(keys, 1)]
    for place, key in enumerate(each, len(keys) + 1 - len(each)):
        lines.append(f"local function {key.upper()}(q) return KEYS[{place} + q * {len(each)}] end")
    parts = [(_LUA / "parts" / f"{part}.lua").read_text() for part in said.get("with", ())]
    text = "\n".join([*lines, *parts, source])
    return Script(name, text, sha1(text.encode()).hexdigest().encode(), keys, each)
