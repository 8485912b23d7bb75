"""What stands in a text where something personal stood."""

import re
from typing import Any

import pytest

from chatkit_prod import ConfigurationError
from chatkit_prod.pii.markers import MASK, markers

CARD, PHONE = "CREDIT_CARD", "PHONE"
KEY = bytes(range(32))
VALUE = "4111 1111 1111 1111".replace(" ", "")


def test_a_mask_tells_nothing() -> None:
    assert markers("mask", None)("thread")(CARD, VALUE) == MASK


def test_a_label_tells_the_type() -> None:
    assert markers("label", None)("thread")(CARD, VALUE) == "[CREDIT_CARD]"


def test_a_pseudonym_is_the_same_for_its_type_value_scope_and_key_alone() -> None:
    name = markers("pseudonym", KEY)("thread")(CARD, VALUE)
    assert re.fullmatch(r"\[CREDIT_CARD_[A-Z2-7]{8}\]", name)
    assert markers("pseudonym", KEY)("thread")(CARD, VALUE) == name
    others = {
        markers("pseudonym", KEY)("other")(CARD, VALUE),
        markers("pseudonym", KEY[::-1])("thread")(CARD, VALUE),
        markers("pseudonym", None)("thread")(CARD, VALUE),
        markers("pseudonym", KEY)("thread")(CARD, VALUE[::-1]),
        markers("pseudonym", KEY)("thread")(PHONE, VALUE).replace("PHONE", "CREDIT_CARD"),
    }
    assert len(others) == 5
    assert name not in others


def test_a_hash_is_the_same_in_every_scope() -> None:
    name = markers("hash", KEY)("thread")(CARD, VALUE)
    assert re.fullmatch(r"\[CREDIT_CARD_[0-9a-f]{32}\]", name)
    assert markers("hash", KEY)("other")(CARD, VALUE) == name
    assert markers("hash", KEY[::-1])("thread")(CARD, VALUE) != name
    assert markers("hash", None)("thread")(CARD, VALUE) != name


@pytest.mark.parametrize("action", ["pseudonym", "hash"])
def test_a_value_has_one_name_however_it_is_grouped_and_in_any_case(action: Any) -> None:
    name = markers(action, KEY)("thread")
    assert name(CARD, "DE89 3704-0044") == name(CARD, "de8937040044")


@pytest.mark.parametrize("size", [16, 64])
def test_a_key_has_16_to_64_bytes(size: int) -> None:
    assert markers("hash", bytes(size))("")(CARD, VALUE)


@pytest.mark.parametrize("key", [b"", bytes(15), bytes(65), "x" * 32, bytearray(32), 7])
def test_no_other_key_is_taken(key: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^key must be 16 to 64 random bytes$"):
        markers("mask", key)


@pytest.mark.parametrize("action", ["", "redact", "MASK", None])
def test_no_other_action_is_known(action: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^action must be "):
        markers(action, None)
