"""Whatever a client sends, it gets an answer that is not our fault, and nothing of it is repeated."""

import base64
import copy
import itertools
import json
import logging
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from chatkit_prod import ChatKitEndpoint, harden
from chatkit_prod.asgi import ASGIApp, Message
from chatkit_prod.auth import JWTBearer
from chatkit_prod.operation import operation_names
from chatkit_prod.testing import LocalIdentityProvider, MemoryStore
from tests.servers import JSON, FullServer, every_request, forever, furnish, hello, http_scope

pytestmark = pytest.mark.anyio

BODIES = 5_000  # for each of two ways, and others for each; `make integration` sends more
CANARY = "can<a>ry/😀"
"""No well-formed id, so there is no place in which an answer or a log may show it."""

IDENTITY = LocalIdentityProvider()

# ------------------------------------------------------------------------------------------------ mutations

JUNK: list[Any] = [
    None,
    True,
    0,
    -1,
    10**30,
    -(10**30),
    10**4000,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "\0",
    "\ud800",
    "x" * 5000,
    "../../etc/passwd",
    "\u202e",
    "AAAA=",
    "A=A=",
    [],
    {},
    [[]],
    {"": ""},
    {"type": "threads.create"},
    {"type": "input_tag", "id": CANARY, "text": CANARY, "data": {CANARY: CANARY}},
    {"__proto__": CANARY},
    CANARY,
    [CANARY],
    {CANARY: CANARY},
    {CANARY: {"values": [CANARY]}},
    base64.b64encode(b"RIFF" * 10).decode(),
]

Place = tuple[Any, Any]


def _places(value: Any) -> Iterator[Place]:
    """Yield every container below a value with every one of its keys."""
    kind: str = type(value).__name__
    keys: list[Any] = list(value) if kind == "dict" else [*range(len(value))] if kind == "list" else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _replace(random: Random, place: Place) -> None:
    container, key = place
    container[key] = copy.deepcopy(random.choice(JUNK))


def _drop(random: Random, place: Place) -> None:
    container, key = place
    del container[key]


def _rename(random: Random, place: Place) -> None:
    container, key = place
    if not isinstance(container, list):
        container[random.choice([CANARY, "", "type", "\0", "id"])] = container.pop(key)


def _nest(random: Random, place: Place) -> None:
    container, key = place
    for _ in range(random.choice([1, 2, 30, 40, 150])):
        container[key] = {CANARY: container[key]} if random.random() < 0.5 else [container[key]]


def _multiply(random: Random, place: Place) -> None:
    container, key = place
    container[key] = [container[key]] * random.choice([2, 25, 100])


def _swap_type(random: Random, place: Place) -> None:
    container, key = place
    name = random.choice([*sorted(operation_names()), CANARY, "threads", None])
    container["type" if isinstance(container, dict) else key] = name


STRUCTURAL: list[Callable[[Random, Place], None]] = [
    _replace,
    _replace,
    _replace,
    _drop,
    _rename,
    _nest,
    _multiply,
    _swap_type,
]


def _mutate_structure(random: Random, body: bytes) -> bytes:
    request = [json.loads(body)]
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        places = list(itertools.islice(_places(request), 500))
        if places:
            random.choice(STRUCTURAL)(random, random.choice(places))
    value = request[0] if request else None
    return json.dumps(value, ensure_ascii=random.random() < 0.5).encode(errors="surrogatepass")


def _mutate_bytes(random: Random, body: bytes) -> bytes:
    for _ in range(random.choice([1, 1, 2, 8])):
        at = random.randrange(len(body) + 1)
        until = min(at + random.choice([0, 1, 1, 4, 40]), len(body))
        piece = random.choice(
            [
                b"",
                b"\0",
                b"\xff",
                b"\xed\xa0\x80",
                b"\\ud800",
                b'"',
                b"\\",
                b"[" * random.choice([1, 50, 300]),
                b'{"a":' * 50,
                b"1e999",
                b"9" * 5000,
                b"NaN",
                CANARY.encode(),
                body[at:until] * 2,
                random.randbytes(3),
            ]
        )
        body = body[:at] + piece + body[until:]
    return body


def _mutate_text(random: Random, body: bytes) -> bytes:
    """Give a key twice, or put something before or behind the whole."""
    match random.randrange(4):
        case 0:
            return body.replace(b'"params": {', b'"params": {"thread_id": "%b", ' % CANARY.encode(), 1)
        case 1:
            return body.replace(b'{"type"', b'{"type": "%b", "type"' % CANARY.encode(), 1)
        case 2:
            return random.choice([b"\xef\xbb\xbf", b" \n", b"[", b"\x1f\x8b"]) + body
        case _:
            return body + random.choice([b"\0", b" ", b"}", body, CANARY.encode()])


def _bodies(seed: int, number_of_bodies: int) -> Iterator[bytes]:
    random = Random(seed)
    valid = list(every_request(CANARY).values())
    for number in range(number_of_bodies):
        mutate = random.choice([_mutate_structure, _mutate_structure, _mutate_bytes, _mutate_text])
        yield mutate(random, valid[number % len(valid)])


# ------------------------------------------------------------------------------------------------ the test


class Listener(logging.Handler):
    """Reads every record of every logger, with all that hangs on it, and keeps those that repeat the canary.

    Attributes:
        heard: How many records there were.
        repeating: What repeated it.
    """

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard = 0
        self.repeating: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard += 1
        line = f"{self.format(record)} {vars(record)}"
        if _repeats(line.encode(errors="surrogatepass")):
            self.repeating.append(line)


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Listen to all loggers at their most talkative."""
    listener, root = Listener(), logging.getLogger()
    monkeypatch.setattr(root, "handlers", [listener])
    level = root.level
    root.setLevel(logging.DEBUG)
    yield listener
    root.setLevel(level)


def _endpoint(server: FullServer) -> ASGIApp:
    return ChatKitEndpoint(server)


def _hardened(server: FullServer) -> ASGIApp:
    auth = JWTBearer(issuer=IDENTITY.issuer, audience=IDENTITY.audience, jwks=IDENTITY.jwks)
    return harden(server, auth=auth, locales=["en", "fr"])


async def _status(app: ASGIApp, body: bytes, headers: list[tuple[bytes, bytes]]) -> tuple[int, bytes]:
    sent: list[Message] = []
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if incoming:
            return incoming.pop()
        await forever()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    await app(http_scope(headers=headers), receive, send)
    return sent[0]["status"], b"".join(message["body"] for message in sent[1:])


WAYS = {"endpoint": _endpoint, "harden": _hardened}


@pytest.mark.no_cover
@pytest.mark.parametrize(("wrap", "seed"), [*zip(WAYS.values(), (1, 2), strict=True)], ids=WAYS)
async def test_no_body_is_our_fault_or_is_repeated(
    wrap: Callable[[FullServer], ASGIApp], seed: int, listener: Listener
) -> None:
    await send_bodies(wrap, seed, BODIES, listener)


async def send_bodies(
    wrap: Callable[[FullServer], ASGIApp], seed: int, number_of_bodies: int, listener: Listener
) -> None:
    """Send that many mutated bodies, and look at every answer and every record."""
    logging.getLogger("tests.fuzz").debug("somebody listens")
    token = IDENTITY.token("alice")
    headers = [*JSON, (b"authorization", f"Bearer {token}".encode())]
    statuses: dict[int, int] = {}
    server = FullServer(hello, MemoryStore())
    app = wrap(server)
    for number, body in enumerate(_bodies(seed, number_of_bodies)):
        if number % 16 == 0:
            store = MemoryStore()
            await furnish(store)
            server.store = store
        status, answer = await _status(app, body, headers)
        statuses[status] = statuses.get(status, 0) + 1
        assert status < 500, (status, body[:2000], answer)
        if status != 200:
            assert not _repeats(answer), (body[:2000], answer)
            assert json.loads(answer)["status"] == status
    assert listener.repeating == []
    assert listener.heard
    assert {200, 400, 404, 413} <= set(statuses), statuses


def _repeats(text: bytes) -> bool:
    """Tell whether a text holds the canary, plain or escaped in any of the usual ways."""
    return any(form in text for form in FORMS)


FORMS = [
    CANARY.encode(),
    json.dumps(CANARY).strip('"').encode(),
    b"can<a>ry",
    b"can%3Ca%3Ery",
    b"can&lt;a&gt;ry",
    base64.b64encode(CANARY.encode())[:8],
]
