"""Names of queues as names of tubes: what a tube may not be called is escaped, and can be read back.

A tube's name has at most 200 bytes, of letters, digits and a few signs, and begins with no hyphen.
"""

import hashlib
import re
from functools import lru_cache

LONGEST = 200
_FORBIDDEN = re.compile(rb"[^A-Za-z0-9_./;$()-]|^-")
_ESCAPED = re.compile(rb"\+([0-9A-F]{2})")


@lru_cache(1024)
def tube_of(queue: str) -> bytes:
    """The tube of a queue. A name that is too long ends in its hash, and cannot be read back."""
    name = queue.encode("utf-8", "surrogatepass")
    tube = _FORBIDDEN.sub(lambda found: b"+%02X" % found[0][0], name) or b"+"
    if len(tube) > LONGEST:
        digest = hashlib.sha256(name).hexdigest().encode()
        tube = tube[: LONGEST - len(digest) - 2] + b"++" + digest
    return tube


def queue_of(tube: bytes) -> str:
    """The queue of a tube."""
    if tube == b"+":
        return ""
    name = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), tube)
    return name.decode("utf-8", "replace")
