"""Addresses of wallets, by their checksums. The keys behind these were never anybody's: they are drawn here."""

import random
from hashlib import sha256

import pytest

from chatkit_prod.pii.detectors.wallets import _BASE58, _BECH32, WALLETS, is_base58check, is_bech32
from tests.pii.oracle import findings

DRAW = random.Random(7)


def base58check(version: bytes, size: int) -> str:
    payload = version + DRAW.randbytes(size)
    number = int.from_bytes(payload + sha256(sha256(payload).digest()).digest()[:4])
    letters = ""
    while number:
        number, at = divmod(number, 58)
        letters = _BASE58[at] + letters
    return "1" * (len(payload) - len(payload.lstrip(b"\0"))) + letters


def bech32(prefix: str, checksum: int) -> str:
    """Return an address by BIP 173 (1) or BIP 350, as their reference code makes it."""
    data = [DRAW.randrange(32) for _ in range(39)]
    values = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *data, *[0] * 6]
    made = 1
    for value in values:
        top = made >> 25
        made = (made & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            made ^= generator if top >> bit & 1 else 0
    made ^= checksum
    return f"{prefix}1" + "".join(
        _BECH32[at] for at in (*data, *(made >> 5 * (5 - i) & 31 for i in range(6)))
    )


ADDRESSES = [
    base58check(b"\0", 20), base58check(b"\5", 20), base58check(b"\x30", 20), base58check(b"\x1e", 20),
    base58check(b"\x41", 20), base58check(b"\x4c", 20), bech32("bc", 1), bech32("bc", 0x2BC830A3), bech32("tb", 1),
    bech32("ltc", 1), bech32("addr", 1), bech32("bc", 1).upper(), base58check(bytes.fromhex("0488b21e"), 74),
]  # fmt: skip
KEYS = [base58check(b"\x80", 32), base58check(b"\x80", 33), base58check(bytes.fromhex("0488ade4"), 74)]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, WALLETS)]


@pytest.mark.parametrize("address", [*ADDRESSES, "0x" + "aB" * 20, "0x" + "0f" * 20])
def test_an_address_is_found(address: str) -> None:
    assert kinds(f"to {address}, thanks") == [("CRYPTO_WALLET", address)]


@pytest.mark.parametrize("key", KEYS)
def test_a_private_key_is_a_secret(key: str) -> None:
    assert kinds(f"to {key}, thanks") == [("SECRET", key)]


@pytest.mark.parametrize("address", [*ADDRESSES, *KEYS])
def test_with_one_letter_wrong_it_is_none(address: str) -> None:
    for at in range(len(address) - 8, len(address)):
        letter = "2" if address[at] != "2" else "3"
        assert kinds(f"to {address[:at]}{letter}{address[at + 1 :]}, thanks") == []


@pytest.mark.parametrize("address", [*ADDRESSES, *KEYS, "0x" + "0f" * 20])
def test_within_a_longer_word_it_is_none(address: str) -> None:
    assert kinds(f"{address}x") == []
    assert kinds(f"x{address}") == []


def test_the_examples_of_the_proposals_pass() -> None:
    assert is_bech32("A12UEL5L")
    assert is_bech32("a1lqfn3a")
    assert not is_bech32("A1G7SGD8")
    assert is_base58check("1BoatSLRHtKNngkdXEeobR76b53LETtpyT")
    assert not is_base58check("LLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLLL")
