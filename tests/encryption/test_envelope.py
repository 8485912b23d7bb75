"""The sealed format is AES-256-GCM as published, and nothing in it can be changed."""

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.encryption import UnsealError
from chatkit_prod.encryption.envelope import (
    BLOCK_BYTES,
    associated_data,
    decoded,
    open_bytes,
    open_json,
    seal_bytes,
    seal_json,
)

CIPHER = AESGCM(bytes(range(32)))
_LONG_KEY = "feffe9928665731c6d6a8f9467308308" * 2
_LONG_NONCE = "cafebabefacedbaddecaf888"
_LONG_TEXT = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
)
_LONG_SEALED = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
)

# McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B: the cases with keys of 256 bits
# and nonces of 96. Key, nonce, text, associated data, ciphertext, tag.
VECTORS = {
    "13": ("00" * 32, "00" * 12, "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
    "14": (
        "00" * 32,
        "00" * 12,
        "00" * 16,
        "",
        "cea7403d4d606b6e074ec5d3baf39d18",
        "d0d1c8a799996bf0265b98b5d48ab919",
    ),
    "15": (_LONG_KEY, _LONG_NONCE, _LONG_TEXT, "", _LONG_SEALED, "b094dac5d93471bdec1a502270e3cc6c"),
    "16": (
        _LONG_KEY,
        _LONG_NONCE,
        _LONG_TEXT[:120],
        "feedfacedeadbeeffeedfacedeadbeefabaddad2",
        _LONG_SEALED[:120],
        "76fc6ece0f4e1768cddf8853bb2d551b",
    ),
}


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_published_vectors_pass(vector: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    key, nonce, text, associated, ciphertext, tag = map(bytes.fromhex, vector)
    sealed = nonce + ciphertext + tag
    assert open_bytes(AESGCM(key), sealed, associated) == text
    monkeypatch.setattr("chatkit_prod.encryption.envelope.os.urandom", {len(nonce): nonce}.__getitem__)
    assert seal_bytes(AESGCM(key), text, associated) == sealed


@given(st.binary(max_size=200), st.binary(max_size=20), st.data())
def test_no_changed_byte_is_opened(plain: bytes, associated: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal_bytes(CIPHER, plain, associated))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UnsealError):
        open_bytes(CIPHER, bytes(sealed), associated)


@given(st.text(max_size=200), st.data())
def test_no_changed_character_is_opened(text: str, data: st.DataObject) -> None:
    sealed = seal_json(CIPHER, text.encode(), b"a")
    assert open_json(CIPHER, sealed, b"a").rstrip(b" ") == text.encode().rstrip(b" ")
    place = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters().filter(lambda found: found != sealed[place]))
    with pytest.raises(UnsealError):
        open_json(CIPHER, sealed[:place] + other + sealed[place + 1 :], b"a")


@given(st.binary(max_size=100), st.data())
def test_nothing_truncated_or_extended_is_opened(plain: bytes, data: st.DataObject) -> None:
    sealed = seal_json(CIPHER, plain, b"a")
    end = data.draw(st.integers(0, len(sealed) - 1))
    for other in (sealed[:end], sealed + sealed[end:], sealed[end + 1 :]):
        with pytest.raises(UnsealError):
            open_json(CIPHER, other, b"a")


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_no_two_lists_are_bound_alike(one: list[str], other: list[str]) -> None:
    assert (associated_data(*one) == associated_data(*other)) == (one == other)


@pytest.mark.parametrize("sealed", [None, 1, "", "1.", "2.AAAA", "1.äöü", "1." + "A" * 3, {"a": 1}], ids=repr)
def test_what_is_no_sealed_text_is_not_opened(sealed: object) -> None:
    with pytest.raises(UnsealError):
        open_json(CIPHER, sealed, b"a")


def test_short_texts_are_as_long_as_one_another() -> None:
    yes, no = (seal_json(CIPHER, text, b"") for text in (b'"yes"', b'"no"'))
    assert len(yes) == len(no)
    assert len(decoded(yes.removeprefix("1."))) == BLOCK_BYTES


def test_a_text_is_never_sealed_the_same_twice() -> None:
    assert len({seal_json(CIPHER, b"a", b"a") for _ in range(100)}) == 100
