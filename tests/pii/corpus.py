"""Texts with personal data of nobody in them, in the styles of many countries, and texts with what looks like it."""

import random
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import starmap

from chatkit_prod.pii.detectors.money import has_luhn

Labelled = tuple[str, set[tuple[str, int, int]]]

PHONES = (
    *("0## ### ## ##", "0#### ######", "0##/#######", "+49 (0)## ########", "+49 ### #######"),  # German
    *("0# ## ## ## ##", "+33 # ## ## ## ##", "0#.##.##.##.##"),  # French
    *("9## ### ###", "+34 6## ### ###", "6## ## ## ##"),  # Spanish
    *("(##) ####-####", "(##) 9####-####", "+55 ## 9####-####", "+351 9## ### ###"),  # Portuguese
    *("0#-####-####", "0##-####-####", "+81 ##-####-####"),  # Japanese
    *(
        "(2##) 2##-####",
        "2##-2##-####",
        "2##.2##.####",
        "1-8##-2##-####",
        "+1-2##-2##-####x###",
        "001-2##-2##-####",
    ),
    *("07### ######", "020 #### ####", "+44 20 #### ####", "+44 7### ######"),  # British
    *("(0#) #### ####", "0### ### ###", "+61 4## ### ###"),  # Australian
    *("## ## ## ##", "##-##-##-##", "+45 ## ## ## ##"),  # Danish
    *("### ####", "#### ####", "### ## ###", "## ### ###", "## ######", "0##-### ## ##", "8 (###) ###-##-##"),
    *("+91 9#### #####", "+86 1## #### ####", "+48 ### ### ###", "+39 3## #######", "+380 ## ### ## ##"),
)

ASKED = (
    *(
        "You can call {PHONE}",
        "They are not answering at {PHONE}.",
        "Phone: {PHONE}",
        "my mobile is {PHONE}, thanks",
    ),
    *("Please have her call me at {PHONE} tomorrow", "Fax: {PHONE}\nTel.: {PHONE}", "text me on {PHONE}"),
    *("Meine Handynummer ist {PHONE}.", "Telefon: {PHONE}", "Sie erreichen mich unter der Rufnummer {PHONE}"),
    *(
        "Appelez-moi au {PHONE} svp",
        "mon téléphone : {PHONE}",
        "Mi teléfono es {PHONE}.",
        "Llámame al {PHONE}",
    ),
    *("Meu celular é {PHONE}", "Ligue para {PHONE}", "電話番号は{PHONE}です", "携帯: {PHONE}"),
)

TOLD = (
    *(
        "Write to {EMAIL}.",
        "<{EMAIL}>, {EMAIL}; cc",
        "[mail](mailto:{EMAIL})",
        "E-Mail:{EMAIL}",
        '{{"to":"{EMAIL}"}}',
    ),
    *("My card {CREDIT_CARD} was lost", "charge {CREDIT_CARD} 12/27 123", "Kreditkarte: {CREDIT_CARD}."),
    *(
        "cc {CREDIT_CARD}, mail {EMAIL}",
        "IBAN {IBAN} bitte",
        "please pay to {IBAN} from my account",
        "({IBAN})",
    ),
    *("client_ip={IP}", "from [{IP}]:8080 to {IP}.", "http://{IP}/path", "MAC {MAC} joined", "{MAC}, {IP}"),
)


def filled(chance: random.Random, mask: str) -> str:
    """Return a mask with a digit for each `#`."""
    return "".join(str(chance.randrange(10)) if character == "#" else character for character in mask)


def card(chance: random.Random) -> str:
    """Return a card number of a length and grouping that is in use, with its check digit."""
    prefix, size = chance.choice(
        [
            ("4", 16),
            ("4", 13),
            ("4", 19),
            ("51", 16),
            ("2300", 16),
            ("37", 15),
            ("36", 14),
            ("35", 16),
            ("5018", 12),
            ("62", 16),
        ]
    )
    body = filled(chance, prefix + "#" * (size - len(prefix) - 1))
    number = next(body + digit for digit in "0123456789" if has_luhn(body + digit))
    separator = chance.choice(["", "", " ", "-", ".", "\N{NO-BREAK SPACE}"])
    if size in (14, 15):
        return separator.join((number[:4], number[4:10], number[10:]))
    return separator.join(number[at : at + 4] for at in range(0, size, 4))


def iban(chance: random.Random) -> str:
    """Return a bank account number with its check digits."""
    country, mask = chance.choice(
        [
            ("DE", "#" * 18),
            ("GB", "ABCD" + "#" * 14),
            ("FR", "#" * 23),
            ("NO", "#" * 11),
            ("MT", "ABCD" + "#" * 23),
            ("ES", "#" * 20),
        ]
    )
    account = filled(chance, mask)
    rest = int("".join(str(int(character, 36)) for character in f"{account}{country}00")) % 97
    number = f"{country}{98 - rest:02}{account}"
    match chance.randrange(4):
        case 0:
            return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
        case 1:
            return number.lower()
        case _:
            return number


def address(chance: random.Random) -> str:
    """Return an address of a machine."""
    groups = [f"{chance.randrange(1, 65536):x}" for _ in range(8)]
    return chance.choice(
        [
            f"{chance.randrange(11, 126)}.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}",
            ":".join(groups),
            f"2001:db8::{':'.join(groups[: chance.randrange(1, 5)])}",
            f"::ffff:192.0.2.{chance.randrange(256)}",
        ]
    )


def mailbox(chance: random.Random) -> str:
    """Return an e-mail address."""
    local = chance.choice(["ada", "a.b-c", "x_y", "jörg", "o'neil", "first.last+tag", "a%b", "n0.1"])
    host = chance.choice(
        ["example.com", "mail.example.co.uk", "a-b.example.org", "müller.example", "xn--mller-kva.example"]
    )
    return f"{local}{chance.randrange(100)}@{host}"


VALUES: dict[str, Callable[[random.Random], str]] = {
    "PHONE": lambda chance: filled(chance, chance.choice(PHONES)),
    "EMAIL": mailbox,
    "CREDIT_CARD": card,
    "IBAN": iban,
    "IP": address,
    "MAC": lambda chance: ":".join(f"{chance.randrange(256):02x}" for _ in range(6)),
}


def labelled(chance: random.Random, template: str) -> Labelled:
    """Return a template with values, and where they are."""
    text, spans = "", set[tuple[str, int, int]]()
    for part in (
        template.replace("{{", "\0").replace("}}", "\1").replace("{", "\2{").replace("}", "\2").split("\2")
    ):
        if part.startswith("{"):
            value = VALUES[part[1:]](chance)
            spans.add((part[1:], len(text), len(text) + len(value)))
            text += value
        else:
            text += part.replace("\0", "{").replace("\1", "}")
    return text, spans


def corpus(seed: int = 1, size: int = 1000) -> Iterator[Labelled]:
    """Yield labelled texts; every fourth one holds nothing, and looks as if it did."""
    chance = random.Random(seed)
    yield from starmap(labelled, ((chance, chance.choice((*ASKED, *TOLD))) for _ in range(size * 3 // 4)))
    makers = list(LOOKALIKES.values())
    yield from ((f"It says {chance.choice(makers)(chance)}, I think.", set()) for _ in range(size // 4))


def _time(chance: random.Random) -> datetime:
    return datetime.fromtimestamp(chance.randrange(2**31), UTC)


def _no_card(chance: random.Random) -> str:
    number = filled(chance, "################")
    return number if not has_luhn(number) else f"{number[:-1]}{(int(number[-1]) + 1) % 10}"


LOOKALIKES: dict[str, Callable[[random.Random], str]] = {
    "epoch seconds": lambda chance: str(chance.randrange(10**9, 2 * 10**9)),
    "epoch milliseconds": lambda chance: str(chance.randrange(10**12, 2 * 10**12)),
    "ISO timestamps": lambda chance: _time(chance).isoformat(),
    "dates": lambda chance: _time(chance).strftime(
        chance.choice(
            ["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m-%d-%y", "%Y%m%d", "%d %m %Y", "%d.%m.%Y %H:%M"]
        )
    ),
    "floats": lambda chance: f"{chance.random() * 10 ** chance.randrange(5):.12f}",
    "coordinates": lambda chance: f"({chance.uniform(-90, 90):.6f}, {chance.uniform(-180, 180):.6f})",
    "numbers without check digit": _no_card,
    "UUIDs": lambda chance: str(uuid.UUID(int=chance.getrandbits(128))),
    "ids": lambda chance: chance.choice(["thr_", "msg_", "call_"]) + f"{chance.getrandbits(32):08x}",
    "order numbers": lambda chance: filled(
        chance,
        chance.choice(
            [
                "order 1#######",
                "ORD-2024-######",
                "no. 1#####",
                "INV-########",
                "PO 45########",
                "302-#######-#######",
            ]
        ),
    ),
    "prices": lambda chance: chance.choice(["${:,.2f}", "€{:,.2f}", "{:,.2f} EUR", "USD {:,}"]).format(
        chance.randrange(10 ** chance.randrange(1, 10))
    ),
    "spaced prices": lambda chance: f"{chance.randrange(10**9):,} €".replace(",", " "),
    "versions": lambda chance: ".".join(str(chance.randrange(30)) for _ in range(3)),
    "builds": lambda chance: filled(chance, "12#.0.6###.1##"),
    "ZIP codes": lambda chance: filled(chance, chance.choice(["#####", "#####-####"])),
    "streets": lambda chance: filled(chance, "1## Main St, Apt. 4##, Springfield 6####"),
    "bytes": lambda chance: " ".join(f"{chance.randrange(256):02X}" for _ in range(8)),
}
