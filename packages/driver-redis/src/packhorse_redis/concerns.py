"""What an operator should change on a server before jobs are trusted to it."""

import time
from collections.abc import Mapping

from packhorse.plugin import ConfigError
from packhorse_redis.moments import seconds
from packhorse_redis.replies import items, text
from packhorse_redis.server import Server

SKEW = 5.0
"""Seconds by which the server's clock may differ from this machine's."""


def concerns(server: Server) -> list[str]:
    """A sentence for each thing that may lose jobs, or misdate them."""
    try:
        facts = _facts(server)
    except ConfigError:
        return ["this user may not ask how the server is set: grant it +info and +config|get"]
    found = []
    policy = facts["maxmemory_policy"]
    if policy != "noeviction":
        found.append(
            f"maxmemory-policy is {policy}: when memory is short the server drops jobs, or parts of "
            "them; set it to noeviction"
        )
    if facts["aof_enabled"] == "0":
        snapshots = _setting(server, "save")
        if snapshots:
            found.append(
                "the server keeps snapshots alone: what was pushed or done since the last one is "
                "forgotten when it dies; set appendonly to yes"
            )
        else:
            found.append(
                "the server keeps nothing on disk: its restart forgets all jobs; set appendonly to yes"
            )
    if facts["role"] != "master":
        found.append("the server is a replica, which takes no jobs: name the primary")
    wall, of_it = items(server.call((b"TIME",), again=True))
    skew = float(text(wall)) + seconds(float(text(of_it))) - time.time()
    if abs(skew) > SKEW:
        found.append(
            f"the server's clock is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this "
            "machine's: set one of them, or expires and retry_until are off by so much"
        )
    return found


def _facts(server: Server) -> Mapping[str, str]:
    """What the server tells of itself, by name."""
    lines = text(server.call((b"INFO",), again=True)).decode(errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {name: value for name, _, value in pairs}


def _setting(server: Server, name: str) -> str:
    """How something is set; empty if that is so, or not to be known."""
    try:
        reply = items(server.call((b"CONFIG", b"GET", name), again=True))
    except ConfigError:
        return "unknown"
    return text(reply[1]).decode() if reply else "unknown"
