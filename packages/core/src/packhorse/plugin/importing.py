"""Turns an import string, `package.module:name`, into the thing that it names."""

import importlib
import re
from typing import Final

from packhorse.errors import PluginError

FORM: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def import_string(text: str) -> object:
    """Imports the module and follows the name; raises `PluginError`, chained to what went wrong."""
    if not FORM.fullmatch(text):
        raise PluginError(f"{text!r} is no import string; write package.module:name")
    module, _, path = text.partition(":")
    try:
        thing: object = importlib.import_module(module)
        for name in path.split("."):
            thing = getattr(thing, name)
    except Exception as error:
        line = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise PluginError(f"{text} cannot be imported: {line}") from error
    return thing
