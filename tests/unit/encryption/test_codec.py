"""The codec: what it seals it opens, and nothing else; the ciphers give what the standards say."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.plugin import DecryptionError
from packhorse_encryption import codec as module
from packhorse_encryption.codec import CIPHERS, EncryptionCodec, derived, key_id
from packhorse_encryption.keyring import Key, generate, parse
from packhorse_encryption.settings import Cipher

OLD, NEW = generate("old"), generate("new")
BOUND = b'[1,"018bcfe5-687b-7000-8000-000000000001","shop.jobs.send_welcome"]'
OTHER = b'[1,"018bcfe5-687b-7000-8000-000000000002","shop.jobs.send_welcome"]'
EVERY = get_args(Cipher)


def codec(text: str = OLD, cipher: Cipher = "aes-256-gcm") -> EncryptionCodec:
    return EncryptionCodec(parse(text, "the test"), cipher)


@pytest.mark.parametrize("cipher", EVERY)
@given(data=st.binary(max_size=300))
def test_what_is_sealed_is_opened(cipher: Cipher, data: bytes) -> None:
    one = codec(cipher=cipher)
    sealed = one.encode(data, BOUND)
    assert one.decode(sealed, BOUND) == data
    assert len(data) < 8 or data not in sealed


def test_the_same_body_never_looks_the_same() -> None:
    one = codec()
    made = {one.encode(b"again", BOUND) for _ in range(1_000)}
    assert len(made) == 1_000
    assert len({data[-16 - 5 - 12 : -16 - 5] for data in made}) == 1_000, "a nonce came twice"


@pytest.mark.parametrize("cipher", EVERY)
def test_every_change_of_one_bit_is_rejected(cipher: Cipher) -> None:
    one = codec(cipher=cipher)
    sealed = one.encode(b'{"args":{"card":"4111"}}', BOUND)
    for place in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(DecryptionError, match=r"job shop\.jobs\.send_welcome 018bcfe5"):
            one.decode(bytes(changed), BOUND)


def test_every_shortened_or_longer_body_is_rejected() -> None:
    one = codec()
    sealed = one.encode(b"whole", BOUND)
    for length in range(len(sealed)):
        with pytest.raises(DecryptionError):
            one.decode(sealed[:length], BOUND)
    with pytest.raises(DecryptionError):
        one.decode(sealed + b"\0", BOUND)


@given(st.binary(max_size=200))
def test_whatever_else_stands_there_is_rejected(data: bytes) -> None:
    with pytest.raises(DecryptionError):
        codec().decode(data, BOUND)


def test_a_body_cannot_be_moved_to_another_job() -> None:
    one = codec()
    with pytest.raises(DecryptionError, match="moved here from another job"):
        one.decode(one.encode(b"mine", BOUND), OTHER)


def test_old_seals_are_opened_by_their_key_while_it_is_there() -> None:
    sealed = codec(OLD).encode(b"long ago", BOUND)
    assert key_id(sealed) == "old"
    both = codec(f"{OLD}\n{NEW}", "chacha20-poly1305")
    assert both.decode(sealed, BOUND) == b"long ago"
    assert key_id(both.encode(b"now", BOUND)) == "new"
    with pytest.raises(DecryptionError, match="the key 'old' is not in the test; put it back"):
        codec(NEW).decode(sealed, BOUND)


def test_another_key_of_the_same_id_is_told() -> None:
    with pytest.raises(DecryptionError, match="another key goes by the id 'old'"):
        codec(generate("old")).decode(codec(OLD).encode(b"x", BOUND), BOUND)


def test_unique_keys_are_hashed_by_the_oldest_key() -> None:
    before, during = codec(OLD), codec(f"{OLD}\n{NEW}")
    assert before.hash_key("order 7") == during.hash_key("order 7")
    assert before.hash_key("order 7") != before.hash_key("order 8")
    assert before.hash_key("order 7") != codec(NEW).hash_key("order 7")
    assert "order 7" not in before.hash_key("order 7")


def test_each_purpose_has_a_key_of_its_own() -> None:
    key = Key("k", bytes(32))
    purposes = ["unique keys", *(f"body {cipher}" for cipher in EVERY)]
    made = {derived(key, purpose) for purpose in purposes}
    assert len(made | {key.secret}) == len(purposes) + 1


def test_a_process_draws_another_salt_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEWED", 2)
    one = codec()
    sealed = [one.encode(bytes(3), BOUND) for _ in range(4)]
    assert len({data[6:22] for data in sealed}) == 2
    assert [one.decode(data, BOUND) for data in sealed] == [bytes(3)] * 4


# From the test cases that come with the GCM specification (McGrew and Viega, appendix B, cases 13, 14
# and 16: AES-256), and RFC 8439, section 2.8.2 (ChaCha20-Poly1305). Each: cipher, key, nonce,
# associated data, plain text, cipher text with its tag.
VECTORS: list[tuple[Cipher, str, str, str, str, str]] = [
    ("aes-256-gcm", "00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    (
        "aes-256-gcm",
        "00" * 32,
        "00" * 12,
        "",
        "00" * 16,
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
    ),
    (
        "aes-256-gcm",
        "feffe9928665731c6d6a8f9467308308" * 2,
        "cafebabefacedbaddecaf888",
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
    (
        "chacha20-poly1305",
        "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
        "070000004041424344454647",
        "50515253c0c1c2c3c4c5c6c7",
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
        b"future, sunscreen would be it.".hex(),
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
        "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
        "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
    ),
]


@pytest.mark.parametrize(("cipher", "key", "nonce", "bound", "plain", "sealed"), VECTORS)
def test_the_ciphers_are_those_of_the_standards(
    cipher: Cipher, key: str, nonce: str, bound: str, plain: str, sealed: str
) -> None:
    _, make = CIPHERS[cipher]
    made = make(bytes.fromhex(key))
    parts = [bytes.fromhex(each) for each in (nonce, plain, bound)]
    assert made.encrypt(*parts).hex() == sealed
    assert made.decrypt(parts[0], bytes.fromhex(sealed), parts[2]) == parts[1]
