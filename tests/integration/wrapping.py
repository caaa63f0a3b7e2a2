"""Puts a driver between an app and its own driver."""

from typing import TypeVar

from packhorse import Packhorse
from packhorse.testing import ForwardingDriver

D = TypeVar("D", bound=ForwardingDriver)


def wrap(app: Packhorse, kind: type[D]) -> D:
    """From now on the app's connection speaks through a driver of this kind.

    Its jobs run here, also those that were lost before: what they note is noted in this process.
    """
    connection = app.connection()
    wrapped = kind(connection.driver)
    wrapped.local = True
    connection._driver = wrapped
    return wrapped
