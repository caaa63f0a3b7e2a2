"""Puts a driver between an app and its own driver."""

from typing import TypeVar

from packhorse import Packhorse
from packhorse.testing import ForwardingDriver

D = TypeVar("D", bound=ForwardingDriver)


def wrap(app: Packhorse, kind: type[D]) -> D:
    """From now on the app's connection speaks through a driver of this kind."""
    connection = app.connection()
    wrapped = kind(connection.driver)
    connection._driver = wrapped
    return wrapped
