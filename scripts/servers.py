"""Looks for each server that the tests use and installs what is missing.

What is missing comes by apt on Debian and Ubuntu, as root or with sudo; elsewhere it says what to
install and exits with 1. It starts nothing: tests start private servers of their own.

There is no compose file: a test that kills a server needs one that is its own.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple


class Server(NamedTuple):
    """One row of the table: how a server is found and what brings it.

    `find` returns what it found, to be printed, or None. `apt` is the package that brings the
    server, None if none does. `advice` tells a person what to do where apt cannot help.
    """

    name: str
    find: Callable[[], str | None]
    apt: str | None
    advice: str


def sqlite() -> str | None:
    """The version of Python's SQLite library if it knows RETURNING, which the driver needs."""
    try:
        import sqlite3
    except ImportError:
        return None
    return sqlite3.sqlite_version if sqlite3.sqlite_version_info >= (3, 38) else None


def redis() -> str | None:
    """The version of the redis-server on the path, if the driver can work with it."""
    if shutil.which("redis-server") is None:
        return None
    told = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout
    version = re.search(r"v=((\d+)\.(\d+)\S*)", told)
    if version is None or (int(version[2]), int(version[3])) < (6, 2):
        return None
    return version[1]


def beanstalkd() -> str | None:
    """Where the server is."""
    return shutil.which("beanstalkd")


def libfaketime() -> str | None:
    """Where the library is that lets the tests move a server's time."""
    folders = chain(Path("/usr").glob("lib*/faketime"), Path("/usr").glob("lib*/*/faketime"))
    found = (folder / "libfaketime.so.1" for folder in folders)
    return next((str(path) for path in found if path.exists()), None)


SERVERS = (
    Server(
        "SQLite",
        sqlite,
        apt=None,
        advice="use a Python that has the sqlite3 module, built with SQLite 3.38 or newer",
    ),
    Server(
        "Redis",
        redis,
        apt="redis-server",
        advice="install Redis 6.2 or newer, so that redis-server is on the path",
    ),
    Server(
        "beanstalkd",
        beanstalkd,
        apt="beanstalkd",
        advice="install beanstalkd 1.12 or newer, so that its program is on the PATH",
    ),
    Server(
        "libfaketime",
        libfaketime,
        apt="libfaketime",
        advice="install libfaketime under /usr",
    ),
)


def main(servers: Sequence[Server] = SERVERS) -> int:
    """Makes sure that all `servers` are there; returns the exit code."""
    missing = [server for server in servers if server.find() is None]
    install([server.apt for server in missing if server.apt])
    failed = False
    for server in servers:
        if found := server.find():
            print(f"{server.name}: {found}")
        else:
            failed = True
            print(f"{server.name} is missing: {server.advice}", file=sys.stderr)
    return int(failed)


def install(packages: Sequence[str]) -> None:
    """Installs Debian packages, if this machine has apt and lets us; whoever asked looks again."""
    if not packages or shutil.which("apt-get") is None:
        return
    root: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            return
        root = ["sudo"]
    print(f"installing {', '.join(packages)}", flush=True)
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    subprocess.run([*apt, "update", "--quiet"], check=False)
    subprocess.run([*apt, "install", "--yes", "--no-install-recommends", *packages], check=False)


if __name__ == "__main__":
    sys.exit(main())
