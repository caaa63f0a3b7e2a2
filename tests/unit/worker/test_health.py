"""Whoever watches a process learns whether its workers are in contact with their broker."""

import json
import os
import socket
import struct
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from packhorse import ConfigError
from packhorse.testing import eventually
from packhorse.worker import health
from packhorse.worker.health import Health, ProcessHealth


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("", 0))
        port: int = one.getsockname()[1]
        return port


def asked(port: int) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_the_port_answers_what_is_so() -> None:
    now = [ProcessHealth("a", True, 3), ProcessHealth("b", False, 0)]
    port = free_port()
    with Health(lambda: now, None, port):
        code, said = asked(port)
        assert code == 200
        assert said["ready"] is True
        assert said["processes"] == [
            {"name": "a", "ready": True, "running": 3},
            {"name": "b", "ready": False, "running": 0},
        ]
        now.pop(0)
        assert asked(port)[0] == 503
        now.clear()
        assert asked(port) == (503, {"ready": False, "processes": []})


def test_the_file_is_touched_only_while_some_process_is_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "EVERY", 0.02)
    file = tmp_path / "health"
    now = [ProcessHealth("a", False, 0)]
    looks = []

    def look() -> list[ProcessHealth]:
        looks.append(1)
        return now

    with Health(look, str(file), None):
        eventually(lambda: len(looks) > 3)
        assert not file.exists()
        now[0] = ProcessHealth("a", True, 0)
        eventually(file.exists)
        now[0] = ProcessHealth("a", False, 0)
        seen = len(looks)
        eventually(lambda: len(looks) > seen + 1)
        os.utime(file, (0, 0))
        seen = len(looks)
        eventually(lambda: len(looks) > seen + 3)
        assert file.stat().st_mtime == 0


def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"--health-port {port}"), Health(list, None, port):
            pass
    for place in (tmp_path / "no" / "file", tmp_path):
        with pytest.raises(ConfigError, match="--health-file"), Health(list, str(place), None):
            pass


def test_a_file_that_cannot_be_written_meanwhile_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "EVERY", 0.02)
    file = tmp_path / "folder" / "health"
    file.parent.mkdir()
    looks = []

    def look() -> list[ProcessHealth]:
        looks.append(1)
        return [ProcessHealth("a", True, 0)]

    with Health(look, str(file), None):
        eventually(file.exists)
        file.parent.rename(tmp_path / "elsewhere")
        seen = len(looks)
        eventually(lambda: len(looks) > seen + 5)
        file.parent.mkdir()
        eventually(file.exists)
    assert caplog.text.count("grows old") == 1


def test_who_asks_and_leaves_is_no_trouble(capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    with Health(lambda: [ProcessHealth("a", True, 0)], None, port):
        for said in (b"", b"GET / HTTP/1.0\r\n\r\n", b"nonsense\r\n"):
            with socket.create_connection(("localhost", port)) as one:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                one.sendall(said)  # and it is cut off with the connection's reset
        assert asked(port)[0] == 200
    assert capsys.readouterr().err == ""
