"""Payment cards and bank accounts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.detectors.money import MONEY, has_luhn, is_card, is_iban
from tests.pii.corpus import LOOKALIKES, card, iban
from tests.pii.oracle import findings

TEXTS = ["{}", "paid by {}.", "({})", "x={};", "[{}]", "'{}'", "a,{},b"]


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, MONEY)]


@pytest.mark.parametrize("text", TEXTS)
def test_a_card_of_any_length_is_found_in_any_grouping(text: str) -> None:
    chance = random.Random(text)
    for _ in range(60):
        number = card(chance)
        assert kinds(text.format(number)) == [("CREDIT_CARD", number)]


def test_a_card_is_found_before_its_expiry_and_code() -> None:
    number = "4111 1111" + " 1111 1111"
    assert kinds(f"{number} 12/27 123") == [("CREDIT_CARD", number)]
    assert kinds(f"{number} 123") == [("CREDIT_CARD", number)]
    assert kinds(number.replace(" ", " - ")) == [("CREDIT_CARD", number.replace(" ", " - "))]


def test_a_word_for_cards_stands_for_an_issuer_that_is_unknown() -> None:
    number = "94000000000000" + "0001"
    number = next(number[:-1] + digit for digit in "0123456789" if has_luhn(number[:-1] + digit))
    assert kinds(f"the number {number}") == []
    assert kinds(f"my card {number}") == [("CREDIT_CARD", number)]
    assert kinds(f"Kreditkarte {number}") == [("CREDIT_CARD", number)]


@given(st.integers(0, 10**15 - 1), st.integers(0, 9))
def test_one_digit_of_ten_makes_a_card(body: int, last: int) -> None:
    number = f"4{body:015}"[:15]
    assert sum(is_card(number + str(digit)) for digit in range(10)) == 1
    assert is_card(number + str(last)) == has_luhn(number + str(last))


def test_zeros_are_no_card() -> None:
    assert not has_luhn("0" * 16)


@pytest.mark.parametrize(
    "text",
    [
        "0.4111111111111111",
        "4111111111111111.5",
        "id_4111111111111111",
        "x4111111111111111",
        "4111111111111111x",
        "4111111111111112",
    ],
)
def test_a_part_of_something_else_is_no_card(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("text", TEXTS)
def test_an_account_is_found_with_and_without_spaces_in_any_case(text: str) -> None:
    chance = random.Random(text)
    for _ in range(40):
        number = iban(chance)
        assert kinds(text.format(number)) == [("IBAN", number)]


def test_what_follows_an_account_stays() -> None:
    number = "ES91 2100 0418" + " 4502 0005 1332"
    assert kinds(f"{number} from my 2024 file") == [("IBAN", number)]
    french = "FR76 30006 00001" + " 12345678901 89"
    assert kinds(french + " bis") == [("IBAN", french)]


@given(st.data())
def test_no_change_of_one_character_leaves_an_account(data: st.DataObject) -> None:
    number = "DE8937040044" + "0532013000"
    at = data.draw(st.integers(2, len(number) - 1))
    digit = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != number[at]]))
    assert is_iban(number)
    assert not is_iban(number[:at] + digit + number[at + 1 :])


def test_an_account_of_a_length_that_is_not_known_is_found_behind_its_word() -> None:
    number = next(
        f"GB{check:02}AYFU376698260679" for check in range(2, 99) if is_iban(f"GB{check:02}AYFU376698260679")
    )
    assert kinds(f"number {number}") == []
    assert kinds(f"my IBAN is {number}") == [("IBAN", number)]


def test_words_are_no_account() -> None:
    assert not any(is_iban(f"DE{check:02}lettersareallthatishere") for check in range(100))


@pytest.mark.parametrize("name", LOOKALIKES)
def test_look_alikes_stay(name: str) -> None:
    chance = random.Random(name)
    for _ in range(100):
        assert kinds(f"It says {LOOKALIKES[name](chance)}, I think.") == []
