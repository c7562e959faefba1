"""The keyring: what it seals opens again, only in its place, and no error ever shows a key."""

from __future__ import annotations

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bankloom.core.errors import ConfigurationError
from bankloom.core.keyring import KEY_BYTES, Keyring, SealBrokenError, fresh_entry

if TYPE_CHECKING:
    from pathlib import Path

secrets = some.text(some.characters(exclude_categories=["Cs"]))


def key() -> bytes:
    return os.urandom(KEY_BYTES)


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


RING = Keyring({"main": key()}, key())


@given(secrets, secrets)
def test_what_is_sealed_opens_again(secret: str, owner: str) -> None:
    """Any text, bound to anything, comes back as it was, and is not to be read in between."""
    sealed = RING.seal(secret, owner)
    assert RING.open(sealed, owner) == secret
    assert len(secret) < 8 or secret not in sealed


@given(secrets, secrets, secrets)
def test_a_moved_value_does_not_open(secret: str, owner: str, another: str) -> None:
    """What was sealed for one owner never opens for another."""
    sealed = RING.seal(secret, owner)
    if owner != another:
        with pytest.raises(SealBrokenError):
            RING.open(sealed, another)


@given(some.text() | some.text().map(lambda body: f"v1.main.{body}"))
def test_nonsense_does_not_open(nonsense: str) -> None:
    """Whatever stands in the place of a sealed value is refused with the documented error."""
    with pytest.raises(SealBrokenError):
        RING.open(nonsense, "item")


@given(some.integers(min_value=0), some.integers(1, 255))
def test_a_changed_byte_does_not_open(place: int, change: int) -> None:
    """One changed byte anywhere, nonce included, is noticed."""
    version, name, body = RING.seal("access-sandbox-1", "item").split(".")
    raw = bytearray(base64.b64decode(body))
    raw[place % len(raw)] ^= change
    with pytest.raises(SealBrokenError):
        RING.open(f"{version}.{name}.{encoded(bytes(raw))}", "item")


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    """Nobody who reads the table sees that two secrets are equal."""
    assert RING.seal("secret", "item") != RING.seal("secret", "item")


def test_an_unknown_key_is_named() -> None:
    """A value under a key that is gone says which key must come back."""
    sealed = Keyring({"spring-2026": key()}, key()).seal("secret", "item")
    with pytest.raises(SealBrokenError, match="spring-2026"):
        RING.open(sealed, "item")


def test_another_key_of_the_same_name_does_not_open() -> None:
    """The name alone opens nothing."""
    sealed = Keyring({"main": key()}, key()).seal("secret", "item")
    with pytest.raises(SealBrokenError):
        RING.open(sealed, "item")


def test_keys_rotate() -> None:
    """A new key put first seals from now on, the old one still opens, and the hashes stay."""
    old, new, index = key(), key(), key()
    before = Keyring({"old": old}, index)
    after = Keyring.parse(f"new:{encoded(new)},old:{encoded(old)},index:{encoded(index)}")
    assert after.open(before.seal("secret", "item"), "item") == "secret"
    assert Keyring({"new": new}, index).open(after.seal("secret", "item"), "item") == "secret"
    assert after.hash("secret") == before.hash("secret")


def test_a_hash_is_keyed_and_stable() -> None:
    """Equal secrets give equal hashes under one index key, and other hashes under another."""
    index = key()
    ring = Keyring({"main": key()}, index)
    assert ring.hash("secret") == Keyring({"other": key()}, index).hash("secret")
    assert ring.hash("secret") != ring.hash("secret2")
    assert ring.hash("secret") != Keyring({"main": key()}, key()).hash("secret")


GOOD, INDEX = encoded(bytes(range(32))), encoded(bytes(range(100, 132)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD,
        f"main:{GOOD}",
        f"index:{INDEX}",
        f"main:{GOOD[:-8]},index:{INDEX}",
        f"main:{GOOD}x,index:{INDEX}",
        f"main={GOOD},index:{INDEX}",
        f"{GOOD}:main,index:{INDEX}",
        f":{GOOD},index:{INDEX}",
        f"main:{GOOD};index:{INDEX}",
        f"ma in:{GOOD},index:{INDEX}",
        f"main:{GOOD},main:{INDEX},index:{INDEX}",
    ],
)
def test_parse_errors_never_quote_a_key(text: str) -> None:
    """However the keyring is garbled, the message helps without showing a piece of a key."""
    with pytest.raises(ConfigurationError) as caught:
        Keyring.parse(text)
    for secret in (GOOD, INDEX):
        for start in range(len(secret) - 8):
            assert secret[start : start + 8] not in str(caught.value)
    assert "from a backup" in str(caught.value)  # and not: make a key


def test_spaces_and_lines_may_stand_between_entries() -> None:
    """The file's form, one entry a line, and the variable's form, commas, mean the same."""
    ring = Keyring.parse(f"\n main:{GOOD} \n\nindex:{INDEX}\n")
    same = Keyring.parse(f"main:{GOOD},index:{INDEX}")
    assert same.open(ring.seal("secret", "item"), "item") == "secret"
    assert same.hash("secret") == ring.hash("secret")


def test_the_first_start_makes_a_private_file(tmp_path: Path) -> None:
    """A keyring file that is not there is made for its owner only, and opens what it sealed."""
    path = tmp_path / "keyring"
    sealed = Keyring.load_or_create(path).seal("secret", "item")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Keyring.load_or_create(path).open(sealed, "item") == "secret"
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_twin_starts_agree_on_one_keyring(tmp_path: Path) -> None:
    """Of many that start at once, one makes the file and all of them read it."""
    with ThreadPoolExecutor(16) as pool:
        rings = list(pool.map(Keyring.load_or_create, [tmp_path / "keyring"] * 64))
    assert len({ring.hash("secret") for ring in rings}) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["keyring"]


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    """Even a broken keyring file stays as it is: it may be all that is left of somebody's keys."""
    path = tmp_path / "keyring"
    for content in (b"", b"main:half of a ke", b"\xff\x00\x81"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError):
            Keyring.load_or_create(path)
        assert path.read_bytes() == content


@pytest.mark.parametrize("name", ["", "a b", "a:b", "-x", "--force", "ключ", "a" * 65])
def test_no_key_is_made_that_a_command_could_not_name(name: str) -> None:
    """A name with a dash in front is an option to `bankloom keys retire`."""
    with pytest.raises(ConfigurationError, match="A key's name is of"):
        fresh_entry(name)
