"""Messages as no dispatcher would write them."""

from collections.abc import Mapping
from uuid import UUID, uuid4

import msgspec

from packhorse import Packhorse
from packhorse.driver.message import Message


def send_body(app: Packhorse, body: bytes) -> UUID:
    """Puts these very bytes onto the default queue."""
    connection = app.connection()
    message = Message(uuid4(), connection.settings.queue, body)
    (sent,) = connection.driver.send([message])
    assert sent.state == "stored"
    return message.id


def envelope(job: str, arguments: Mapping[str, object], **changes: object) -> bytes:
    """An envelope for a job, with whatever in it that should not be there."""
    body = {"args": arguments, **{k: changes.pop(k) for k in _INSIDE if k in changes}}
    clear = {"v": 1, "id": str(uuid4()), "job": job, "at": 1.7e9, "body": body}
    return msgspec.json.encode(clear | changes)


_INSIDE = ("overrides", "until", "expires", "tags", "failures", "ser")
