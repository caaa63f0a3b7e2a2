"""What whoever watches a supervisor sees: its health, and the titles of its processes."""

import json
import socket
import sys
import urllib.request
from pathlib import Path

import pytest

from packhorse.testing import eventually
from tests.integration.processes import Stable

pytestmark = [pytest.mark.slow, pytest.mark.backend("sqlite")]


def test_health_and_titles(tmp_path: Path) -> None:
    with socket.socket() as one:
        one.bind(("", 0))
        port = one.getsockname()[1]
    stable, file = Stable(tmp_path, lease=30.0), tmp_path / "health"
    try:
        watched = ("--health-port", str(port), "--health-file", str(file))
        supervisor = stable.worker("--processes", "2", *watched)

        def asked() -> dict:  # type: ignore[type-arg]
            try:
                with urllib.request.urlopen(f"http://localhost:{port}", timeout=5) as answer:
                    said: dict = json.load(answer)  # type: ignore[type-arg]
                    return said
            except OSError:  # not there yet, or 503
                return {"ready": False, "processes": []}

        def ready() -> bool:
            processes = asked()["processes"]
            return len(processes) == 2 and all(each["ready"] for each in processes)

        eventually(ready, within=30, every=0.1)
        eventually(file.exists, within=10)
        if sys.platform == "linux":
            pids = [each.pid for each in stable.app.connection().control.workers()]
            assert title(supervisor.pid) == "packhorse:super"
            eventually(lambda: {title(pid) for pid in pids} == {"packhorse:work"}, within=10)
        supervisor.terminate()
        assert supervisor.wait(timeout=20) == 0, stable.log(supervisor)
    finally:
        stable.close()


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
