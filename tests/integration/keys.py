"""A look at the unique keys that are kept in a store."""

from packhorse import Packhorse


def nothing_left(app: Packhorse, queue: str | None = None) -> bool:
    """Whether the store remembers no live key of a queue; where the broker keeps them, true."""
    connection = app.connection()
    if connection.driver.capabilities.unique:
        return True
    keys = connection.unique_keys()
    return keys.store.read([keys.line(queue or connection.settings.queue).all]) == [None]
