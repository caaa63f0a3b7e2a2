"""The key ring: its text, and the three places that it may come from."""

import sys
from pathlib import Path

import pytest

from packhorse.plugin import ConfigError
from packhorse_encryption.keyring import KeyRing, generate, parse, read_ring
from packhorse_encryption.settings import read_settings

A, B, C = (generate(id) for id in ("a", "b", "c"))


def ring(text: str) -> KeyRing:
    return parse(text, "the test")


def test_the_last_key_is_current_and_the_first_the_oldest() -> None:
    made = ring(f"# ours\n{A}\n\n{B}  # new\n")
    assert list(made.keys) == ["a", "b"]
    assert (made.current.id, made.oldest.id) == ("b", "a")


def test_a_star_marks_the_current_key_and_commas_end_lines() -> None:
    assert ring(f"{A}, *{B},{C}").current.id == "b"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no keys"),
        ("# nothing", "holds no keys"),
        ("hunter2", "key 1: a key is written"),
        ("k = hunter2", "key 1 .k.: the key is no base64"),
        ("k = aHVudGVyMg==", "a key has 32 bytes, and this one 7"),
        (f"{A}\n{A}", "key 2: there are two keys called 'a'"),
        (f"*{A}\n*{B}", "`\\*` marks 2"),
        (f"{A}\n{A.replace('a', 'x', 1)}", "two ids have the same key"),
        (A.replace("a =", "ä ="), "its id in letters and digits"),
    ],
)
def test_a_wrong_ring_is_refused_without_showing_a_key(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as caught:
        ring(text)
    assert "hunter2" not in str(caught.value)
    assert "aHVudGVyMg" not in str(caught.value)


def test_no_key_is_in_a_repr() -> None:
    secret = A.partition(" = ")[2]
    made = ring(A)
    assert secret not in repr(made) + repr(made.current) + str(made.keys)
    assert repr(made.current.secret) not in repr(made) + str(made.keys)


def test_it_comes_from_the_environment() -> None:
    settings = read_settings({})
    assert read_ring(settings, {"PACKHORSE_KEYS": A}).current.id == "a"
    with pytest.raises(ConfigError, match="PACKHORSE_KEYS is not set"):
        read_ring(settings, {})
    assert read_ring(read_settings({"environment": "OURS"}), {"OURS": A}).source.endswith("OURS")


def test_it_comes_from_a_file_that_is_the_users_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{A}\n{B}\n")
    path.chmod(0o600)
    settings = read_settings({"file": str(path)})
    assert read_ring(settings, {}).current.id == "b"
    for mode in (0o640, 0o604, 0o620):
        path.chmod(mode)
        with pytest.raises(ConfigError, match=f"{mode:04o}.*chmod 600"):
            read_ring(settings, {})
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_ring(settings, {})


def test_it_comes_from_a_command(tmp_path: Path) -> None:
    def of(program: str) -> KeyRing:
        return read_ring(read_settings({"command": [sys.executable, "-c", program]}), {})

    assert of(f"print({A!r})").current.id == "a"
    with pytest.raises(ConfigError, match="ended with 3") as caught:
        of("import sys; print('hunter2', file=sys.stderr); sys.exit(3)")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigError, match="is no text"):
        of("import sys; sys.stdout.buffer.write(bytes([255]))")
    with pytest.raises(ConfigError, match="cannot run: No such file"):
        read_ring(read_settings({"command": [str(tmp_path / "nothing")]}), {})


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="not from file and command"):
        read_settings({"file": "a", "command": ["b"]})
    with pytest.raises(ConfigError, match="cipher"):
        read_settings({"cipher": "rot13"})
    with pytest.raises(ConfigError, match="requier"):
        read_settings({"requier": True})
