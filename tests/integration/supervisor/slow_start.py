"""A module of jobs that takes its time to be imported; it says when it has begun to."""

import os
import time

from tests.integration.jobs import DIARY

with open(os.environ[DIARY] + ".starting", "w"):
    time.sleep(10)
