"""Text as a support chat has it, with and without personal data, and text that wants to be slow; all of it made up."""

import random
import string
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import NamedTuple

MESSAGE = 2000
"""So many characters a message has, more or less."""

_WORDS = {
    "en": "order invoice account settings delivery refund button printer window update folder screen network page "
    "support team monday customer warranty cable battery version export report table search result email "
    "please open choose then wait again until every other small large blue second first before after without",
    "de": "Bestellung Rechnung Konto Einstellungen Lieferung Rückgabe Taste Drucker Fenster Ordner Bildschirm Netzwerk "
    "bitte öffnen wählen dann warten noch einmal bis jede andere kleine große zweite erste vorher nachher ohne für",
    "fr": "commande facture compte réglages livraison remboursement bouton imprimante fenêtre dossier écran réseau "
    "veuillez ouvrir choisir puis attendre encore jusqu’à chaque autre petite grande deuxième première avant après sans",
    "ja": "注文 請求書 アカウント 設定 配送 返金 ボタン プリンター 画面 更新 お客様 保証 電池 検索 結果 開く 選ぶ 待つ もう一度 最初",
}
_WORDS["en typeset"] = _WORDS["en"]
_LANGUAGES = ("en",) * 6 + ("en typeset",) * 6 + ("de",) * 3 + ("fr",) * 3 + ("ja",) * 2
_FACTS: tuple[Callable[[random.Random], str], ...] = (
    lambda r: (
        f"on 2026-{r.randint(1, 12):02}-{r.randint(1, 28):02} at {r.randint(0, 23):02}:{r.randint(0, 59):02}"
    ),
    lambda r: f"for ${r.randint(1, 2999):,}.{r.randint(0, 99):02}",
    lambda r: f"order #{r.randint(10000, 99999)}",
    lambda r: f"version {r.randint(1, 20)}.{r.randint(0, 30)}.{r.randint(0, 9)}",
    lambda r: f"{r.randint(1, 99)} %",
    lambda r: f"`thr_{r.getrandbits(32):08x}`",
    lambda r: f"step {r.randint(1, 9)} of {r.randint(3, 12)}",
    lambda r: f"reset the password {r.randint(2, 9)} times",
    lambda _: "**not** yet",
    lambda r: f"[the guide](https://docs.example.com/help/{r.choice(_WORDS['en'].split()[:20])})",
    lambda r: f"$x_{r.randint(1, 9)} = {r.randint(2, 9)}y + {r.randint(1, 9)}$",
)

_TYPESET: tuple[Callable[[random.Random], str], ...] = (
    *_FACTS,
    lambda r: f"{r.randint(2, 900)} €",
    lambda _: "it’s there",
    lambda _: "✅",
    lambda _: "— as before —",
)


class Message(NamedTuple):
    """A text of a chat.

    Args:
        text: The text.
        entities: What is personal in it: where each begins and has ended.
    """

    text: str
    entities: tuple[tuple[int, int], ...]


def clean(size: int) -> list[Message]:
    """Return messages without personal data, of `size` characters in all."""
    return _messages(size, random.Random(7), _block)


def ordinary(size: int) -> list[Message]:
    """Return messages with something personal every few hundred characters."""

    def part(r: random.Random, language: str) -> Iterator[str]:
        yield from _block(r, language)
        if r.random() < 0.5:
            yield from (f" {_some(r, language, 2)}: ", *_entity(r), ". ")

    return _messages(size, random.Random(8), part)


def dense(size: int) -> list[Message]:
    """Return messages with something personal every 60 characters."""

    def part(r: random.Random, language: str) -> Iterator[str]:
        yield from (
            f"{_some(r, language, r.randint(3, 6))}: ",
            *_entity(r),
            r.choice((". ", ", ", ";\n", " ")),
        )

    return _messages(size, random.Random(9), part)


def deltas(text: str, shortest: int, longest: int, seed: int = 1) -> list[str]:
    """Return a text cut as a model's answer comes in."""
    r = random.Random(seed)
    found: list[str] = []
    start = 0
    while start < len(text):
        end = start + r.randint(shortest, longest)
        found.append(text[start:end])
        start = end
    return found


def hostile(size: int) -> dict[str, str]:
    """Return texts that make many patterns begin and none end, by name."""
    r = random.Random(10)
    units = {
        f"`{unit}`": unit
        for unit in (
            "a.", "a@", "a@a.", "@", "1", "1 ", "1-", "1.", "(1)", "+1 ", "4111 ", "AB12 ", "eyJ", "sk-", "-----BEGIN ", "://",
            "a:b@", "password=", "::", "fe80:", "0x", "bc1q", "00:1b:", "iban ",
        )
    }  # fmt: skip
    units |= {
        "letters": "a",
        "zero-width characters": "\u200b",
        "zero-width between digits": "1\u200b",
        "emoji": "🙂",
    }
    units |= {"full-width digits": "\N{FULLWIDTH DIGIT FOUR}", "accents": "e\u0301"}
    found = {name: (unit * (size // len(unit) + 1))[:size] for name, unit in units.items()}
    found["`a.…@`"] = found["`a.`"][:-1] + "@"
    found["hexadecimal"] = "".join(r.choices("0123456789abcdef", k=size))
    found["digits"] = "".join(r.choices(string.digits, k=size))
    found["digits and spaces"] = "".join(r.choices(string.digits + " -", k=size))
    found["base64"] = b64encode(r.randbytes(size))[:size].decode()
    return found


def _messages(
    size: int, r: random.Random, part: Callable[[random.Random, str], Iterator[str]]
) -> list[Message]:
    found: list[Message] = []
    length = 0
    while length < size:
        text, language = "", r.choice(_LANGUAGES)
        entities: list[tuple[int, int]] = []
        while len(text) < MESSAGE:
            for piece in part(r, language):
                if isinstance(piece, _Entity):
                    entities.append((len(text), len(text) + len(piece)))
                text += piece
        found.append(Message(text, tuple(entities)))
        length += len(text)
    return found


class _Entity(str):
    """Something personal."""

    __slots__ = ()


def _some(r: random.Random, language: str, number: int) -> str:
    return ("" if language == "ja" else " ").join(r.choices(_WORDS[language].split(), k=number))


def _sentence(r: random.Random, language: str) -> str:
    words = _some(r, language, r.randint(5, 14))
    fact = f" {r.choice(_FACTS if language == 'en' else _TYPESET)(r)}" if r.random() < 0.4 else ""
    return words[0].upper() + words[1:] + fact + ("。" if language == "ja" else ". ")


def _block(r: random.Random, language: str) -> Iterator[str]:
    kind = r.random()
    if kind < 0.8:
        yield "".join(_sentence(r, language) for _ in range(r.randint(2, 5))) + "\n\n"
    elif kind < 0.9:
        yield "".join(f"- {_sentence(r, language)}\n" for _ in range(r.randint(2, 5))) + "\n"
    elif kind < 0.95:
        rows = (
            f"| {_some(r, language, 1)} | {r.randint(1, 400)} | {r.randint(1, 99)}.{r.randint(0, 9)} |\n"
            for _ in range(4)
        )
        yield "| name | pieces | price |\n|---|---|---|\n" + "".join(rows) + "\n"
    else:
        name, value = r.choices(_WORDS["en"].split()[:20], k=2)
        yield (
            f"```python\ndef {name}(self, {value}: int = {r.randint(1, 99)}) -> str:\n"
            f'    if {value} > {r.randint(1, 9)}:\n        return f"{{self.{name}[{value}]!r}}"\n    return ""\n```\n\n'
        )


def _entity(r: random.Random) -> tuple[str, _Entity, str]:
    """Return something personal between what goes with it: made up, from ranges kept for examples."""
    before, value = r.choice(_ENTITIES)
    entity = _Entity(value(r))
    return before, entity, "db.example.com/desk" if entity.endswith("@") else ""


def _digits(r: random.Random, number: int) -> str:
    return "".join(r.choices(string.digits, k=number))


def _mixed(r: random.Random) -> str:
    return "".join(r.choices(string.ascii_letters + string.digits, k=20))


def _email(r: random.Random) -> str:
    first, last = (
        r.choice(("alice", "bob", "carol", "dan", "erin")),
        r.choice(("smith", "meyer", "o.neil", "li")),
    )
    return f"{first}.{last}{r.randint(1, 99)}@{r.choice(('mail.', '', 'eu.'))}example.{r.choice(('com', 'org', 'net'))}"


def _phone(r: random.Random) -> str:
    """Return a number of the ranges that authorities keep for films and books."""
    return r.choice((f"+1 212-555-01{_digits(r, 2)}", f"(415) 555-01{_digits(r, 2)}", f"+44 7700 900{_digits(r, 3)}",
                     f"+49 30 23125 {_digits(r, 3)}", f"+33 1 99 00 {_digits(r, 2)} {_digits(r, 2)}"))  # fmt: skip


def _card(r: random.Random) -> str:
    digits = r.choice(("4111", "5105", "4242")) + _digits(r, 11)
    total = sum(sum(divmod(int(digit) * (1 + (at % 2 == 0)), 10)) for at, digit in enumerate(digits))
    digits += str(-total % 10)
    between = r.choice(("", " ", "-"))
    return between.join(digits[at : at + 4] for at in range(0, 16, 4))


def _iban(r: random.Random) -> str:
    account = f"{r.choice(('10000000', '50000000'))}{_digits(r, 10)}"
    check = 98 - int(f"{account}131400") % 97
    iban = f"DE{check:02}{account}"
    return " ".join(iban[at : at + 4] for at in range(0, 22, 4)) if r.random() < 0.5 else iban


def _jwt(r: random.Random) -> str:
    return (
        "eyJhbGciOiJub25lIn0.eyJ"
        + b64encode(r.randbytes(30)).decode().translate(_URL_SAFE)
        + "."
        + r.randbytes(16).hex()
    )


_URL_SAFE = str.maketrans("+/", "-_")
_ENTITIES: tuple[tuple[str, Callable[[random.Random], str]], ...] = (
    ("", _email),
    ("write to ", _email),
    ("call ", _phone),
    ("", _phone),
    ("card ", _card),
    ("IBAN ", _iban),
    ("SSN ", lambda r: f"{r.randint(100, 600)}-{r.randint(10, 99)}-{r.randint(1000, 9999)}"),
    ("from ", lambda r: f"203.0.113.{r.randint(1, 254)}"),
    ("host ", lambda r: f"2001:db8::{r.randint(1, 9999)}:{r.randint(1, 9999)}"),
    ("MAC ", lambda r: f"00:00:5e:00:53:{r.randint(0, 255):02x}"),
    ("at ", lambda r: f"postgres://desk:{r.randbytes(5).hex()}@"),
    ("token ", _jwt),
    ("key ", lambda r: f"sk-{_mixed(r)}T3BlbkFJ{_mixed(r)}"),
)
