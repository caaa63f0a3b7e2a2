"""Where a server is and how it is spoken to: what a connection's URL says."""

from typing import TYPE_CHECKING

from msgspec import Struct

from packhorse.plugin import ConfigError, Url

if TYPE_CHECKING:
    import ssl

OPTIONS = ("prefix", "database", "timeout", "connect_timeout", "ca", "cert", "key", "verify")


class Address(Struct, frozen=True):
    """A server, and how long to wait for it; without a host it is a Unix socket at `path`."""

    title: str
    host: str
    port: int
    path: str
    username: str | None
    password: str | None
    database: int
    timeout: float
    connect_timeout: float
    tls: "ssl.SSLContext | None"

    @classmethod
    def read(cls, url: Url) -> "Address":
        """Reads a URL; raises `ConfigError` for what it cannot mean."""
        url.expect(OPTIONS)
        if "," in url.host:
            raise ConfigError(f"{url} names several servers; name the one that is to be used")
        is_socket = url.scheme == "unix"
        if is_socket and not url.path:
            raise ConfigError(f"{url} names no socket: write unix:///path/to/redis.sock")
        return cls(
            title=str(url),
            host="" if is_socket else url.host or "localhost",
            port=url.port or 6379,
            path=url.path if is_socket else "",
            username=url.username,
            password=url.password,
            database=_database(url),
            timeout=_seconds(url, "timeout", 5.0),
            connect_timeout=_seconds(url, "connect_timeout", 5.0),
            tls=_tls(url) if url.scheme == "rediss" else None,
        )


def prefix_of(url: Url) -> str:
    """What the names of all keys begin with, in braces."""
    prefix = url.option("prefix", str, "packhorse")
    if not prefix or "{" in prefix or "}" in prefix:
        raise ConfigError(f"option 'prefix' of {url} is {prefix!r}: it needs a text without braces")
    return prefix


def _database(url: Url) -> int:
    text = "" if url.scheme == "unix" else url.path.strip("/")
    number = url.option("database", int, int(text) if text.isdecimal() else 0)
    if (text and not text.isdecimal()) or number < 0:
        raise ConfigError(f"{url} names no database: write its number, as in redis://localhost/0")
    return number


def _seconds(url: Url, name: str, default: float) -> float:
    seconds = url.option(name, float, default)
    if not 0 < seconds < 1e6:
        raise ConfigError(f"option {name!r} of {url} is {seconds:g}: it needs seconds, more than 0")
    return seconds


def _tls(url: Url) -> "ssl.SSLContext":
    import ssl  # four megabytes, which most need not

    ca, cert = url.option("ca", str, "") or None, url.option("cert", str, "")
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert:
            context.load_cert_chain(cert, url.option("key", str, "") or None)
    except OSError as error:  # an SSLError is one
        raise ConfigError(f"the certificates of {url} cannot be read: {error}") from error
    if not url.option("verify", bool, True):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
