"""Addresses and keys of cryptocurrencies: whoever knows an address sees every payment of its owner."""

from functools import reduce
from hashlib import sha256

from chatkit_prod.pii.detector import Detector

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58_VALUES = {letter: value for value, letter in enumerate(_BASE58)}
_BECH32_VALUES = {letter: value for value, letter in enumerate(_BECH32)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_REMAINDERS = tuple(
    reduce(int.__xor__, (generator for bit, generator in enumerate(_GENERATORS) if top >> bit & 1), 0)
    for top in range(32)
)


def is_base58check(found: str) -> bool:
    """Tell whether the last four bytes of what is written in base 58 are the checksum of the others.

    That of the first Bitcoin client: the beginning of a double SHA-256. One in 300 addresses holds no digit at all; by
    its digits the others are found without looking at every word.
    """
    if not any(map(str.isdigit, found)):
        return False
    number = 0
    for letter in found:
        number = number * 58 + _BASE58_VALUES[letter]
    zeros = len(found) - len(found.lstrip("1"))
    decoded = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8)
    return sha256(sha256(decoded[:-4]).digest()).digest()[:4] == decoded[-4:]


def is_bech32(found: str) -> bool:
    """Tell whether an address has a checksum of BIP 173 or BIP 350."""
    prefix, _, data = found.lower().rpartition("1")
    codes = prefix.encode()
    checksum = 1
    for value in (
        *(code >> 5 for code in codes),
        0,
        *(code & 31 for code in codes),
        *map(_BECH32_VALUES.__getitem__, data),
    ):
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _REMAINDERS[checksum >> 25]
    return checksum in (1, 0x2BC830A3)


_LETTER = "[1-9A-HJ-NP-Za-km-z]"

WALLETS: tuple[Detector, ...] = (
    Detector(
        name="bitcoin_private_key",
        type="SECRET",
        pattern=f"[5KL]{_LETTER}{{50,51}}",
        trigger="[0-9]",
        lead=51,
        check=is_base58check,
    ),
    Detector(
        name="bitcoin_extended_private_key",
        type="SECRET",
        pattern=f"[t-vx-z]prv{_LETTER}{{107}}",
        trigger="prv",
        lead=1,
        check=is_base58check,
    ),
    Detector(
        name="bitcoin_extended_public_key",
        type="CRYPTO_WALLET",
        pattern=f"[t-vx-z]pub{_LETTER}{{107}}",
        trigger="pub",
        lead=1,
        check=is_base58check,
    ),
    Detector(
        name="bitcoin",
        type="CRYPTO_WALLET",
        pattern=f"[13]{_LETTER}{{24,34}}",
        trigger="[0-9]",
        check=is_base58check,
    ),
    Detector(
        name="base58check",
        type="CRYPTO_WALLET",
        # Litecoin, Dogecoin, Tron, Dash
        pattern=f"[DLMTX]{_LETTER}{{24,34}}",
        trigger="[0-9]",
        lead=34,
        check=is_base58check,
    ),
    Detector(
        name="bech32",
        type="CRYPTO_WALLET",
        # Bitcoin, Litecoin, Cardano
        pattern=f"(?:(?:bc|tb|ltc|addr)1[{_BECH32}]{{11,100}}|(?:BC|TB|LTC)1[{_BECH32.upper()}]{{11,90}})",
        trigger="[0-9]",
        lead=4,
        check=is_bech32,
    ),
    Detector(
        name="ethereum",
        type="CRYPTO_WALLET",
        # EIP-55 in the case of the letters is not asked for: a mistyped address still points at its owner, and
        # Keccak in Python costs 5 microseconds a character.
        pattern="0[Xx][0-9A-Fa-f]{40}",
        trigger="[0-9]",
    ),
)
"""Addresses of wallets and what opens them."""
