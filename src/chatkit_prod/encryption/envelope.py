"""The sealed format: AES-256-GCM, a random nonce, and what the text belongs to.

    1.base64(nonce of 96 bits | ciphertext | tag of 128 bits)

NIST SP 800-38D §8.3: at most 2³² texts under one key with random nonces. A data key belongs to one thread.
"""

import os
from binascii import b2a_base64

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic_core import SchemaValidator, ValidationError, core_schema

from .errors import UnsealError

KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16
BLOCK_BYTES = 48
"""What a sealed text is padded to: no length tells a yes from a no, and base64 has no spare bits to change."""

_PREFIX = "1."
# A third of the time that binascii takes.
_BASE64 = SchemaValidator(core_schema.bytes_schema(), {"val_json_bytes": "base64"})
_ADDED = NONCE_BYTES + TAG_BYTES


def associated_data(*parts: str) -> bytes:
    """Return what a sealed text is bound to: each part behind its length, so that no two lists are the same bytes.

    Args:
        parts: The first tells the kind.
    """
    return _PREFIX.encode() + parts_of(*parts)


def parts_of(*parts: str) -> bytes:
    """Return further parts of what a sealed text is bound to."""
    return b"".join([part_of(part) for part in parts])


def part_of(part: str) -> bytes:
    """Return one further part."""
    return f"{len(part)}:{part}".encode("utf-8", "surrogatepass")


def seal_bytes(cipher: AESGCM, plain: bytes, associated: bytes) -> bytes:
    """Return nonce, ciphertext and tag."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, associated)


def open_bytes(cipher: AESGCM, sealed: bytes, associated: bytes) -> bytes:
    """Return what `seal_bytes` was given.

    Raises:
        UnsealError: Another key, other bytes, or bound to something else: nobody can tell which.
    """
    if len(sealed) < _ADDED:
        raise UnsealError("truncated")
    try:
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
    except InvalidTag:
        raise UnsealError("changed, moved, or sealed under another key") from None


def seal_json(cipher: AESGCM, plain: bytes, associated: bytes) -> str:
    """Return sealed JSON as text, padded with the spaces that JSON may end in."""
    padding = -(len(plain) + _ADDED) % BLOCK_BYTES
    sealed = seal_bytes(cipher, plain + b" " * padding, associated)
    return _PREFIX + encoded(sealed)


def open_json(cipher: AESGCM, sealed: object, associated: bytes) -> bytes:
    """Return the JSON that `seal_json` was given, with its padding.

    Args:
        cipher: With the data key.
        sealed: As the store had it; untrusted.
        associated: What it was bound to.

    Raises:
        UnsealError: It is none, or of another version; or see `open_bytes`.
    """
    if not isinstance(sealed, str) or not sealed.startswith(_PREFIX):
        raise UnsealError("of an unknown format")
    return open_bytes(cipher, decoded(sealed[len(_PREFIX) :]), associated)


def encoded(data: bytes) -> str:
    """Return base64 (RFC 4648 §4)."""
    return b2a_base64(data, newline=False).decode()


def decoded(text: str) -> bytes:
    """Return what base64 stands for, of either alphabet (RFC 4648 §4 and §5).

    Raises:
        UnsealError: It is none, or has anything else in it.
    """
    try:
        found: bytes = _BASE64.validate_json(f'"{text}"')
    except ValidationError:  # its text quotes what it has read
        raise UnsealError("no base64") from None
    return found
