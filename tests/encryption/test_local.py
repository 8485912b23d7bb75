"""The keys of the process come from where secrets are kept, and none is shown."""

import base64
from pathlib import Path
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.encryption import Keyring, LocalKeyring, UnsealError, WrappedKey
from tests.encryption.keyrings import key

pytestmark = pytest.mark.anyio

NEW, OLD = key(), key()


def text(**keys: bytes) -> str:
    return ",".join(f"{key_id}={base64.b64encode(value).decode()}" for key_id, value in keys.items())


async def test_the_first_key_wraps_and_every_key_unwraps() -> None:
    old = await LocalKeyring({"old": OLD}).wrap(b"k" * 32, associated_data=b"a")
    both = LocalKeyring({"new": NEW, "old": OLD})
    new = await both.wrap(b"k" * 32, associated_data=b"a")
    assert (both.key_id, old.key_id, new.key_id) == ("new", "old", "new")
    for wrapped in (old, new):
        assert await both.unwrap(wrapped, associated_data=b"a") == b"k" * 32


async def test_a_wrapped_key_belongs_to_what_it_was_wrapped_for() -> None:
    keyring = LocalKeyring.generate()
    wrapped = await keyring.wrap(b"k" * 32, associated_data=b"a")
    with pytest.raises(UnsealError):
        await keyring.unwrap(wrapped, associated_data=b"b")


async def test_an_unknown_key_is_named_in_the_error() -> None:
    wrapped = await LocalKeyring({"old": OLD}).wrap(b"k" * 32, associated_data=b"a")
    with pytest.raises(UnsealError, match="not in the keyring") as caught:
        await LocalKeyring({"new": NEW}).unwrap(wrapped, associated_data=b"a")
    assert caught.value.key_id == "old"


async def test_keys_come_from_the_environment_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CHATKIT_PROD_KEYS", text(new=NEW, old=OLD))
    path = tmp_path / "keys"
    path.write_text(text(new=NEW, old=OLD).replace(",", "\n") + "\n")
    wrapped = await LocalKeyring({"old": OLD}).wrap(b"k" * 32, associated_data=b"")
    for keyring in (LocalKeyring.from_env(), LocalKeyring.from_file(path)):
        assert keyring.key_id == "new"
        assert await keyring.unwrap(wrapped, associated_data=b"") == b"k" * 32


def test_a_generated_keyring_is_nobody_elses() -> None:
    one, other = LocalKeyring.generate(), LocalKeyring.generate()
    assert isinstance(one, Keyring)
    assert one.key_id != other.key_id


@pytest.mark.parametrize(
    "value",
    ["", " ", "zzz", "=AAAA", "a=AAAA", text(a=OLD) + "," + text(a=NEW), text(a=b"short"), "a=" + "ä" * 44],
    ids=["unset", "blank", "no key", "no id", "short", "twice", "bytes", "no base64"],
)
def test_what_holds_no_keys_is_refused_without_being_shown(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYS", value)
    with pytest.raises(ConfigurationError, match="environment variable KEYS") as caught:
        LocalKeyring.from_env("KEYS")
    assert not value.strip() or value not in str(caught.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="FileNotFoundError"):
        LocalKeyring.from_file(tmp_path / "absent")


@pytest.mark.parametrize(
    "keys",
    [
        {},
        None,
        [OLD],
        {"": OLD},
        {1: OLD},
        {"a": OLD[:16]},
        {"a": "b" * 32},
        {"a": bytes(32)},
        {"a": OLD, "b": OLD},
    ],
    ids=["none", "nothing", "a list", "no id", "a number", "16 bytes", "text", "zeros", "twice"],
)
def test_wrong_keys_are_refused_at_construction(keys: Any) -> None:
    with pytest.raises(ConfigurationError):
        LocalKeyring(keys)


def test_no_key_is_in_what_is_printed() -> None:
    assert repr(LocalKeyring({"new": NEW, "old": OLD})) == "LocalKeyring(new, old)"


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "x",
        {},
        {"id": "a"},
        {"id": "", "wrapped": "AAAA"},
        {"id": 1, "wrapped": "AAAA"},
        {"id": "a", "wrapped": "?"},
    ],
    ids=repr,
)
def test_what_is_no_wrapped_key_is_not_read(stored: object) -> None:
    with pytest.raises(UnsealError):
        WrappedKey.read(stored)
