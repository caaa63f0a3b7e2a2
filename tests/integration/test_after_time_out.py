"""What a time-out leaves behind in the process: nothing that another thread could feel."""

import subprocess
import sys

WORKER = """
import sys, time
from packhorse import Packhorse, job

@job(timeout=0.2, tries=1)
def sleeps() -> None:
    for _ in range(3_000):
        time.sleep(0.01)

with Packhorse("memory://") as app:
    sleeps.dispatch()
    app.worker().run(stop_when_empty=True)
    assert app.failed.count() == 1

sys.settrace(lambda *event: None)
print([number for number in range(3)])
"""


def test_a_program_can_be_traced_after_a_time_out() -> None:
    """CPython 3.11 turns in a circle there, once a thrown exception was taken back."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout == "[0, 1, 2]\n"
