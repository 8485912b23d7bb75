"""What chats are full of, and must come out untouched: a thousand of each, the same ones every time.

Left out is what nobody can tell apart by its look: versions of four numbers (IPv4 addresses are just that), part
numbers of three, two and four digits (social security numbers), a random number that satisfies the checksum of a
payment card by chance, and numbers with a plus, or in the groups of a phone number.
"""

import random
import uuid
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from json import dumps

EACH = 1000

_HEX = "0123456789abcdef"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_WORDS = [
    "the",
    "order",
    "will",
    "ship",
    "after",
    "review",
    "please",
    "open",
    "another",
    "ticket",
    "when",
    "token",
    "counts",
    "change",
    "and",
    "reset",
    "password",
    "rules",
    "keep",
    "secret",
    "santa",
    "list",
    "ready",
    "while",
    "model",
    "answers",
    "in",
    "plain",
    "words",
    "about",
    "garden",
    "weather",
]


def corpora() -> Iterator[tuple[str, list[str]]]:
    """Return each kind by its name, with its texts."""
    for make in _KINDS:
        draw = random.Random(make.__name__)
        yield make.__name__.strip("_"), [make(draw) for _ in range(EACH)]


def _hex(draw: random.Random, size: int) -> str:
    return "".join(draw.choices(_HEX, k=size))


def _digits(draw: random.Random, size: int) -> str:
    return "".join(draw.choices("0123456789", k=size))


def _upper(draw: random.Random, size: int) -> str:
    return "".join(draw.choices(_LETTERS, k=size))


def _prose(draw: random.Random, size: int = 6) -> str:
    return " ".join(draw.choices(_WORDS, k=size))


def _when(draw: random.Random) -> datetime:
    return datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=draw.randrange(30 * 365 * 86_400_000))


def _base64_audio(draw: random.Random) -> str:
    return b64encode(draw.randbytes(draw.randrange(60, 120))).decode()


def _base64url(draw: random.Random) -> str:
    return urlsafe_b64encode(draw.randbytes(draw.randrange(16, 90))).decode().rstrip("=")


def _data_urls(draw: random.Random) -> str:
    kind = draw.choice(
        ["image/png", "image/svg+xml", "audio/wav", "application/pdf", "application/json", "font/woff2"]
    )
    data = draw.randbytes(draw.randrange(40, 100))
    if kind == "application/json":
        data = dumps({draw.choice(_WORDS): _hex(draw, 12), "n": draw.random()}).encode()
    return f"data:{kind};base64,{b64encode(data).decode()}"


def _chatkit_ids(draw: random.Random) -> str:
    prefix = draw.choice(["thr", "msg", "atc", "cthr", "tc", "wf", "stc", "task"])
    return f"{prefix}_{_hex(draw, draw.choice((8, 32)))}"


def _uuids(draw: random.Random) -> str:
    found = str(uuid.UUID(int=draw.getrandbits(128), version=4))
    return draw.choice([found, found.upper(), found.replace("-", ""), f"{{{found}}}", f"urn:uuid:{found}"])


def _iso_timestamps(draw: random.Random) -> str:
    when = _when(draw)
    return draw.choice(
        [
            when.isoformat(),
            when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            when.strftime("%Y-%m-%d %H:%M:%S"),
            when.strftime("%Y%m%dT%H%M%SZ"),
            when.strftime("%Y-%m-%d %H:%M:%S,%f"),
            when.strftime("%G-W%V-%u"),
        ]
    )


def _epoch_seconds(draw: random.Random) -> str:
    return str(draw.randrange(1_000_000_000, 2_000_000_000))


def _epoch_milliseconds(draw: random.Random) -> str:
    return f"at {draw.randrange(1_400_000_000_000, 1_900_000_000_000)} ms"


def _phone_like_dates(draw: random.Random) -> str:
    when = _when(draw)
    return draw.choice(
        [
            when.strftime("%d.%m.%Y"),
            when.strftime("%m/%d/%Y"),
            when.strftime("%Y-%m-%d"),
            when.strftime("%d-%m-%Y"),
            when.strftime("%Y/%m/%d"),
            when.strftime("%Y.%m.%d %H:%M"),
            when.strftime("%Y%m%d"),
            f"{when:%Y-%m-%d} to {when + timedelta(days=9):%Y-%m-%d}",
            f"{when.year}-{when.year + 3}",
            when.strftime("%A, %d %B %Y at %H:%M"),
        ]
    )


def _order_numbers(draw: random.Random) -> str:
    return draw.choice(
        [
            f"order #{_digits(draw, 8)}",
            f"order ORD-{_when(draw):%Y%m%d}-{_digits(draw, 4)}",
            f"Invoice INV-{draw.randrange(2015, 2030)}-{_digits(draw, 5)}",
            f"invoice {_digits(draw, 6)}",
            f"tracking 1Z{_upper(draw, 3)}{_digits(draw, 3)}{_digits(draw, 10)}",
            f"tracking {_upper(draw, 2)}{_digits(draw, 9)}{_upper(draw, 2)}",
            f"part {_upper(draw, 2)}-{_digits(draw, 4)}-{_upper(draw, 1)}",
            f"part {_digits(draw, 3)}-{_upper(draw, 3)}-{_digits(draw, 3)}",
            f"case {_digits(draw, 7)}",
            f"PO {_digits(draw, 10)}",
            f"ticket JIRA-{_digits(draw, 5)}",
            f"order {_digits(draw, 3)}-{_digits(draw, 7)}-{_digits(draw, 7)}",
            f"SKU {_upper(draw, 3)}{_digits(draw, 6)}",
        ]
    )


def _lettered_numbers(draw: random.Random) -> str:
    return draw.choice(
        [
            f"{_digits(draw, 8)}{_upper(draw, 1)}",
            f"{_upper(draw, 1)}{_digits(draw, 7)}{_upper(draw, 1)}",
            f"{_upper(draw, 2)}{_digits(draw, 6)}{_upper(draw, 1)}",
            f"{_upper(draw, 5)}{_digits(draw, 4)}{_upper(draw, 1)}",
            f"{_upper(draw, 1)}{_digits(draw, 8)}",
            f"{_upper(draw, 2)}{_digits(draw, 7)}",
        ]
    )


def _prices(draw: random.Random) -> str:
    whole, cents = draw.randrange(10_000_000), draw.randrange(100)
    points = f"{whole:,}".replace(",", ".")
    spaces = f"{whole:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return draw.choice(
        [
            f"${whole:,}.{cents:02}",
            f"{points},{cents:02} €",
            f"CHF {whole:,}.{cents:02}".replace(",", "’"),
            f"£{whole}.{cents:02}",
            f"¥{whole:,}",
            f"R$ {points},{cents:02}",
            f"{spaces},{cents:02} kr",
            f"₹{whole:,}",
            f"{whole} USD",
            f"{spaces} zł",
            f"-{whole:,}.{cents:02} BRL",
            f"{draw.random():.12f}",
            f"{draw.random() * 100:.2f} %",
        ]
    )


def _markdown(draw: random.Random) -> str:
    word, cell = draw.choice(_WORDS), [_digits(draw, draw.randrange(1, 6)) for _ in range(6)]
    return draw.choice(
        [
            f"[{_prose(draw, 3)}](https://example.com/{word}/{_digits(draw, 5)})",
            f"| {word} | n |\n|---|---:|\n| {cell[0]} | {cell[1]} |\n| {cell[2]} | {cell[3]} |",
            f"1. {_prose(draw)}\n2. {_prose(draw)}\n   - {_prose(draw)}",
            f"# {_prose(draw, 3)}\n\n{_prose(draw)}\n\n---\n\n> {_prose(draw)}",
            f"![{word}](attachment://atc_{_hex(draw, 8)})",
            f"- [x] {_prose(draw)} **{word}:** `{cell[4]}`\n- [ ] __{word}__ = {cell[5]}",
            f"**Password:** {_prose(draw)}[^1]\n\n[^1]: {_prose(draw)}",
        ]
    )


def _code(draw: random.Random) -> str:
    name, number = draw.choice(_WORDS), _digits(draw, 3)
    return draw.choice(
        [
            f'```python\ntoken = get_token()\npassword = os.environ["DB_PASSWORD"]\n{name} = [{number}, 0x{_hex(draw, 8)}]\n```',
            f"```ts\nconst apiKey: string = process.env.API_KEY ?? '';\nawait fetch(`/api/${{{name}}}/{number}`);\n```",
            f"```sql\nSELECT {name}, secret FROM users WHERE id = {number} AND token IS NOT NULL;\n```",
            f'```go\nfunc {name}(token string) (int, error) {{ return strconv.Atoi("{number}") }}\n```',
            f"```rust\nlet secret: &str = config.secret.as_str();\nlet {name}: u64 = {number}_000;\n```",
            f"```yaml\npassword: ${{DB_PASSWORD}}\napi_key: YOUR_API_KEY\nmax_tokens: {number}\n```",
            f'```json\n{{"token": null, "id": "msg_{_hex(draw, 8)}", "{name}": {number}.5}}\n```',
            f'```bash\nexport API_KEY=<your-key>\ncurl -H "Authorization: Bearer $TOKEN" localhost:8000/{name}\n```',
        ]
    )


def _latex(draw: random.Random) -> str:
    a, b = draw.randrange(1, 10_000), draw.randrange(1, 100)
    return draw.choice(
        [
            rf"$$\int_0^{{{b}}} x^{{{a}}}\,dx = \frac{{{b}^{{{a + 1}}}}}{{{a + 1}}}$$",
            rf"\(\sum_{{i=1}}^{{{a}}} i^2 = \frac{{{a}({a}+1)}}{{6}}\)",
            rf"\begin{{pmatrix}} {a} & {b} \\ {b} & {a} \end{{pmatrix}}",
            rf"$\pi \approx 3.14159{_digits(draw, 6)}$",
            rf"$N_A = 6.022\,140\,76 \times 10^{{{b}}}$",
        ]
    )


def _git_shas(draw: random.Random) -> str:
    return draw.choice(
        [_hex(draw, 40), _hex(draw, 7), f"{_hex(draw, 7)}..{_hex(draw, 7)}", f"sha256:{_hex(draw, 64)}"]
    )


def _versions(draw: random.Random) -> str:
    a, b, c = (draw.randrange(60) for _ in range(3))
    return draw.choice(
        [
            f"{a}.{b}.{c}",
            f"v{a}.{b}.{c}-rc.{b}",
            f">={a}.{b},<{a + 1}",
            f"{a}.{b}.{c}+build.{_hex(draw, 7)}",
            f"^{a}.{b}.{c}",
        ]
    )


def _colours(draw: random.Random) -> str:
    return draw.choice(
        [f"#{_hex(draw, 6)}", f"#{_hex(draw, 3)}", f"color: #{_hex(draw, 8)};", f"0x{_hex(draw, 6)}"]
    )


def _commits(draw: random.Random) -> str:
    return draw.choice(
        [
            f"fix({draw.choice(_WORDS)}): {_prose(draw)} (#{_digits(draw, 4)})",
            f"Merge pull request #{_digits(draw, 3)} from main/{draw.choice(_WORDS)}-{_digits(draw, 3)}",
            f'Revert "{_prose(draw)}"\n\nThis reverts commit {_hex(draw, 40)}.',
        ]
    )


def _urls(draw: random.Random) -> str:
    path = "/".join(
        draw.choices(
            [*_WORDS, _hex(draw, 12), _digits(draw, 5), f"{draw.choice(_WORDS)}-{_hex(draw, 6)}"], k=8
        )
    )
    return draw.choice(
        [
            f"https://example.com/{path}?page={_digits(draw, 2)}&sort={draw.choice(_WORDS)}#{draw.choice(_WORDS)}",
            f"https://github.com/example/{draw.choice(_WORDS)}/blob/{_hex(draw, 40)}/src/{path}.py#L{_digits(draw, 3)}",
            f"https://example.org/{_when(draw):%Y/%m/%d}/{path}.html",
        ]
    )


def _prose_of_secrets(draw: random.Random) -> str:
    return draw.choice(
        [
            f"password: please reset it, {_prose(draw)}",
            f"The secret is {_prose(draw)}",
            f"token: {_prose(draw)}",
            f"Your password must have {_digits(draw, 2)} characters",
            f"A bearer token for {_prose(draw)}",
            f"The api key: see {_prose(draw)}",
            f"passport: {_prose(draw)}; driver's license: {_prose(draw)}",
            f"tokens: {_digits(draw, 5)}, password length = {_digits(draw, 2)}",
        ]
    )


_KINDS: tuple[Callable[[random.Random], str], ...] = (
    _base64_audio,
    _base64url,
    _data_urls,
    _chatkit_ids,
    _uuids,
    _iso_timestamps,
    _epoch_seconds,
    _epoch_milliseconds,
    _phone_like_dates,
    _order_numbers,
    _lettered_numbers,
    _prices,
    _markdown,
    _code,
    _latex,
    _git_shas,
    _versions,
    _colours,
    _commits,
    _urls,
    _prose_of_secrets,
)
