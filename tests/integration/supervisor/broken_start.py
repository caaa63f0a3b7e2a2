"""A module that takes its process with it, after it wrote down when."""

import os
import time

from tests.integration.jobs import DIARY

with open(os.environ[DIARY] + ".starts", "a") as file:
    file.write(f"{time.monotonic()}\n")
os._exit(7)
