"""What scrubbing costs: whole texts beside other scrubbers, deltas, hostile texts, a stream, and what is held back."""

import asyncio
import gc
import json
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from chatkit.types import (
    AssistantMessageContent,
    AssistantMessageContentPartTextDelta,
    AssistantMessageItem,
    ThreadItemAddedEvent,
    ThreadItemDoneEvent,
    ThreadItemUpdatedEvent,
    ThreadMetadata,
    ThreadStreamEvent,
    UserMessageItem,
)

from chatkit_prod.asgi import ASGIApp, Receive, Scope, Send
from chatkit_prod.pii import PIIMiddleware, Scrubber
from chatkit_prod.testing import chatkit_request, user_message

from .apps import THREAD, BenchServer, bare, hardened
from .measure import Request, Row, batch, paired, ratio
from .pii_corpora import Message, clean, deltas, dense, hostile, ordinary

Engine: TypeAlias = Literal["re2", "re"]
ENGINES: tuple[Engine, ...] = ("re2", "re")
SIZE = 200_000
HOSTILE = 100_000
PEER_ROUNDS = 5
CONCURRENT = 8
CHUNKS = 200
PEERS = Path(__file__).with_name("peers_pii.py")
HELD = {"p50": 4, "p95": 16}

Texts = Sequence[str]


@cache
def scrubber(engine: Engine) -> Scrubber:
    """Return a scrubber that writes the type of what it replaces, with an engine."""
    return Scrubber(action="label", engine=engine)


class Speeds(NamedTuple):
    """How fast texts go through, in millions of characters a second, by who does it.

    Args:
        clean: Of texts without anything personal.
        dense: Of texts with something personal every 60 characters.
        clean_ratio: RE2 over each of them, of clean texts, by their rounds.
        dense_ratio: The same of dense texts.
    """

    clean: Mapping[str, float]
    dense: Mapping[str, float]
    clean_ratio: Mapping[str, float]
    dense_ratio: Mapping[str, float]


def speeds(python: Path, size: int = SIZE, rounds: int = PEER_ROUNDS) -> Speeds:
    """Measure whole texts.

    Args:
        python: The interpreter that has the peers.
        size: Characters of each corpus.
        rounds: Paired rounds.
    """
    with _peers(python) as peers:
        figures = {
            name: _seconds([message.text for message in corpus], peers, rounds)
            for name, corpus in {"clean": clean(size), "dense": dense(size)}.items()
        }
    found: dict[str, dict[str, float]] = {}
    for name, seconds in figures.items():
        found[name] = {
            who: statistics.median(size / taken for taken in of) / 1e6 for who, of in seconds.items()
        }
        found[f"{name}_ratio"] = {who: ratio(seconds, who, ENGINES[0]) for who in seconds}
    return Speeds(**found)


class _Peers:
    """Other scrubbers, in a process of their own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def seconds(self, texts: Texts) -> dict[str, float]:
        """Return the CPU time that each of them takes."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None:  # pragma: no cover - both are pipes
            raise RuntimeError
        print(json.dumps(texts), file=requests, flush=True)
        return {name: seconds for name, (seconds, _) in json.loads(answers.readline()).items()}


@contextmanager
def _peers(python: Path) -> Generator[_Peers]:
    # -I: the folder of the script has modules that are named as some of the standard library.
    command = [str(python), "-I", str(PEERS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield _Peers(process)


def _seconds(texts: Texts, peers: _Peers, rounds: int) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {}
    for counted in [False] + [True] * rounds:
        gc.collect()
        taken = {engine: _again(scrubber(engine), texts) for engine in ENGINES} | peers.seconds(texts)
        for name, seconds in taken.items():
            if counted:
                figures.setdefault(name, []).append(seconds)
    return figures


def _again(with_: Scrubber, texts: Texts) -> float:
    """Scrub twice: the first time brings back into the processor's caches what the peers have driven out of them."""
    _scrubbed(with_, texts)
    return _scrubbed(with_, texts)


def _scrubbed(with_: Scrubber, texts: Texts) -> float:
    started = time.process_time()
    for text in texts:
        with_.scrub(text)
    return time.process_time() - started


def missed(messages: Sequence[Message]) -> tuple[int, int]:
    """Return how much that is personal was not found whole, and how much was found that is not."""
    left = wrong = 0
    for text, entities in messages:
        findings = scrubber(ENGINES[0]).scrub(text).findings
        left += sum(not any(f.start <= start and end <= f.end for f in findings) for start, end in entities)
        wrong += sum(not any(f.start < end and start < f.end for start, end in entities) for f in findings)
    return left, wrong


def per_delta(engine: Engine, rounds: int, size: int = SIZE) -> float:
    """Return the seconds of CPU time that a delta of 5 to 20 characters takes."""
    streams = [deltas(message.text, 5, 20) for message in ordinary(size)]
    number = sum(map(len, streams))
    gc.collect()
    return statistics.median(_streamed(scrubber(engine), streams) / number for _ in range(rounds))


def _streamed(with_: Scrubber, streams: Sequence[Sequence[str]]) -> float:
    started = time.process_time()
    for pieces in streams:
        stream = with_.stream()
        for piece in pieces:
            stream.feed(piece)
        stream.finish()
    return time.process_time() - started


def held_back(shortest: int, longest: int, size: int = SIZE) -> dict[str, int]:
    """Return how many characters are held back after each delta: half of the time, and in 95 of 100 cases."""
    held: list[int] = []
    for number, message in enumerate(ordinary(size)):
        read = _read(message.text)
        stream = scrubber(ENGINES[0]).stream()
        fed = released = 0
        for piece in deltas(message.text, shortest, longest, seed=number):
            fed += len(piece)
            released += len(stream.feed(piece))
            held.append(max(0, fed - read[released]))
    held.sort()
    return {name: held[int(len(held) * int(name[1:]) / 100)] for name in HELD}


def _read(text: str) -> list[int]:
    """Return, for each length of what is written, how much of a text that stands for."""
    scrubbed = scrubber(ENGINES[0]).scrub(text)
    read = [0]
    for finding in scrubbed.findings:
        read.extend(range(read[-1] + 1, finding.start + 1))
        read.extend([finding.end] * len(f"[{finding.type}]"))
    read.extend(range(read[-1] + 1, len(text) + 1))
    if len(read) != len(scrubbed.text) + 1:
        raise RuntimeError("what is replaced is not replaced by its type")
    return read


class Hostile(NamedTuple):
    """What a text of 100,000 characters takes that wants to be slow.

    Args:
        name: What it is made of.
        whole: The seconds of CPU time, by engine.
        delta: The same for each delta of 5 to 20 characters, when it comes as a stream.
    """

    name: str
    whole: Mapping[Engine, float]
    delta: Mapping[Engine, float]


def hostiles(rounds: int = 5, size: int = HOSTILE) -> list[Hostile]:
    """Measure each hostile text, the slowest first."""
    found: list[Hostile] = []
    for name, text in hostile(size).items():
        pieces = deltas(text, 5, 20)
        gc.collect()
        whole: dict[Engine, float] = {
            engine: statistics.median(_scrubbed(scrubber(engine), [text]) for _ in range(rounds))
            for engine in ENGINES
        }
        delta: dict[Engine, float] = {
            engine: _streamed(scrubber(engine), [pieces]) / len(pieces) for engine in ENGINES
        }
        found.append(Hostile(name, whole, delta))
    return sorted(found, key=lambda of: -max(of.whole.values()))


class _Teller:
    """An app that streams a text as an assistant's message, and never waits."""

    def __init__(self, pieces: Texts) -> None:
        item = AssistantMessageItem(
            id="msg_bench", thread_id=THREAD.id, created_at=THREAD.created_at, content=[]
        )
        whole = item.model_copy(update={"content": [AssistantMessageContent(text="".join(pieces))]})
        self._chunks = [
            b"data: " + event.model_dump_json(exclude_none=True).encode() + b"\n\n"
            for event in (
                ThreadItemAddedEvent(item=item),
                *(_updated(item.id, piece) for piece in pieces),
                ThreadItemDoneEvent(item=whole),
            )
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body", False):
            pass
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        for chunk in self._chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _updated(item_id: str, piece: str) -> ThreadItemUpdatedEvent:
    update = AssistantMessageContentPartTextDelta(content_index=0, delta=piece)
    return ThreadItemUpdatedEvent(item_id=item_id, update=update)


def _message(text: str) -> Request:
    body = chatkit_request("threads.add_user_message", thread_id=THREAD.id, input=user_message(text))
    return Request(body, {"host": "localhost", "content-type": "application/json"})


async def per_event(rounds: int) -> float:
    """Return the seconds of CPU time that `PIIMiddleware` adds to an event with a delta of 5 to 20 characters."""
    pieces = [piece for message in ordinary(40_000) for piece in deltas(message.text, 5, 20)]
    short, long = _Teller(pieces[:CHUNKS]), _Teller(pieces[: 3 * CHUNKS])
    apps: dict[str, ASGIApp] = {
        "short": short,
        "long": long,
        "short, scrubbed": PIIMiddleware(short, scrubber=scrubber(ENGINES[0])),
        "long, scrubbed": PIIMiddleware(long, scrubber=scrubber(ENGINES[0])),
    }
    request = _message("Hello")
    figures = await paired(
        {name: batch(request, app, _nothing, size=10) for name, app in apps.items()}, rounds=rounds
    )
    return statistics.median(
        ((b - a) - (d - c)) / (2 * CHUNKS)
        for d, b, c, a in zip(
            figures["long"],
            figures["long, scrubbed"],
            figures["short"],
            figures["short, scrubbed"],
            strict=True,
        )
    )


async def _nothing() -> None: ...


async def blocked(texts: Texts, rounds: int) -> float:
    """Return the longest time that hostile requests and answers, all at once, keep another task from running.

    Args:
        texts: Each is sent in a message, and comes back in one delta.
        rounds: The median of that many counts.
    """

    async def longest() -> float:
        beats: list[float] = []

        async def beat() -> None:
            while True:
                beats.append(time.perf_counter())
                await asyncio.sleep(0)

        gc.collect()
        heart = asyncio.create_task(beat())
        await asyncio.sleep(0)
        await asyncio.gather(*(_message(text).send(app) for text, app in zip(texts, apps, strict=True)))
        heart.cancel()
        return max(later - earlier for earlier, later in pairwise([*beats, time.perf_counter()]))

    apps = [PIIMiddleware(_Teller([text]), scrubber=scrubber(ENGINES[0])) for text in texts]
    return statistics.median([await longest() for _ in range(rounds)])


class _Chatting(BenchServer):
    """Answers with ordinary text, and with all of it again at the end, as agents do."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._pieces = [piece for message in ordinary(10_000) for piece in deltas(message.text, 5, 20)][
            :number
        ]

    async def respond(
        self, thread: ThreadMetadata, input_user_message: UserMessageItem | None, context: Any
    ) -> AsyncIterator[ThreadStreamEvent]:
        item = AssistantMessageItem(
            id="msg_bench", thread_id=thread.id, created_at=THREAD.created_at, content=[]
        )
        yield ThreadItemAddedEvent(item=item)
        for piece in self._pieces:
            yield _updated(item.id, piece)
        content = [AssistantMessageContent(text="".join(self._pieces))]
        yield ThreadItemDoneEvent(item=item.model_copy(update={"content": content}))


async def stream(request: Request, rounds: int, *, kind: type[BenchServer]) -> float:
    """Return what a stream of 200 deltas takes with all layers, over what it takes bare.

    Args:
        request: A message to a thread.
        rounds: Paired rounds.
        kind: What the server says: one short word again and again, or ordinary text.
    """
    server, scrubbed = kind(CHUNKS), kind(CHUNKS)
    apps = {"bare": bare(server), "scrubbed": hardened(scrubbed, pii=Scrubber())}

    async def reset() -> None:
        await server.reset()
        await scrubbed.reset()

    figures = await paired(
        {name: batch(request, app, reset, size=3) for name, app in apps.items()}, rounds=rounds
    )
    return ratio(figures, "scrubbed", "bare")


async def rows(measured: Speeds, slow: Sequence[Hostile], send_message: Request, rounds: int) -> list[Row]:
    """Return the figures with their limits; see the functions above for what they are.

    Args:
        measured: The speeds.
        slow: What the hostile texts take.
        send_message: A message to a thread, with whatever the stack asks for.
        rounds: Paired rounds.
    """
    presidio, datafog = (who for who in measured.clean if who not in ENGINES)
    worst: dict[Engine, Hostile] = {engine: _slowest(slow, engine) for engine in ENGINES}
    left, _ = missed(dense(SIZE))
    _, wrong = missed(clean(SIZE))
    texts = hostile(HOSTILE)
    held = {lengths: held_back(*lengths) for lengths in ((1, 8), (5, 20))}
    return [
        Row("scrubbing clean chat text, RE2", measured.clean["re2"], 20, " MB/s", at_least=True),
        Row("the same, standard library", measured.clean["re"], 8, " MB/s", at_least=True),
        Row("scrubbing dense text, RE2", measured.dense["re2"], 5, " MB/s", at_least=True),
        Row("the same, standard library", measured.dense["re"], 2, " MB/s", at_least=True),
        Row(
            f"clean text, against {presidio}'s patterns",
            measured.clean_ratio[presidio],
            100,
            " ×",
            at_least=True,
        ),
        Row(
            f"dense text, against {presidio}'s patterns",
            measured.dense_ratio[presidio],
            100,
            " ×",
            at_least=True,
        ),
        Row(
            f"clean text, against {datafog}'s patterns", measured.clean_ratio[datafog], 1, " ×", at_least=True
        ),
        Row("of the entities of the dense text, left", left, 0),
        Row("found in the clean text", wrong, 0),
        *(
            Row(f"scrubbing a delta, {_NAMES[engine]}", per_delta(engine, rounds) * 1e6, 5, " µs")
            for engine in ENGINES
        ),
        Row("`PIIMiddleware`, added to an event with a delta", await per_event(rounds) * 1e6, 15, " µs"),
        *(
            Row(
                f"the slowest of {len(slow)} hostile texts of 100 kB, {_NAMES[engine]}: {of.name}",
                of.whole[engine] * 1e3,
                limit,
                " ms",
            )
            for (engine, of), limit in zip(worst.items(), (20, 30), strict=True)
        ),
        Row(
            f"{CONCURRENT} hostile messages and answers at once, another stream waits",
            await blocked([texts[of.name] for of in slow[:CONCURRENT]], PEER_ROUNDS) * 1e3,
            50,
            " ms",
        ),
        *(
            Row(
                f"held back of deltas of {lengths[0]} to {lengths[1]} characters, {name}",
                figures[name],
                limit,
            )
            for lengths, figures in held.items()
            for name, limit in HELD.items()
        ),
        Row(
            "a 200-delta stream, all layers with `pii=`",
            await stream(send_message, rounds, kind=BenchServer),
            0.9,
        ),
        Row(
            "the same of ordinary text, and all of it again at the end",
            await stream(send_message, rounds, kind=_Chatting),
            0.9,
        ),
    ]


_NAMES: Mapping[str, str] = {"re2": "RE2", "re": "standard library"}


def _slowest(slow: Sequence[Hostile], engine: Engine) -> Hostile:
    return max(slow, key=lambda of: of.whole[engine])


def table(measured: Speeds) -> str:
    """Return the speeds as Markdown."""
    head = "| who scrubs | clean text, MB/s | dense text, MB/s |\n|---|---|---|"
    named = {_NAMES.get(who, who): who for who in measured.clean}
    lines = [
        f"| {name} | {measured.clean[who]:.3g} | {measured.dense[who]:.3g} |" for name, who in named.items()
    ]
    return "\n".join([head, *lines])


def hostile_table(slow: Sequence[Hostile]) -> str:
    """Return the times of the hostile texts as Markdown."""
    head = "| 100 kB of | RE2, ms | standard library, ms | each delta, RE2, µs | each delta, standard library, µs |\n|---|---|---|---|---|"
    lines = [
        f"| {of.name} | "
        + " | ".join(f"{of.whole[engine] * 1e3:.3g}" for engine in ENGINES)
        + " | "
        + " | ".join(f"{of.delta[engine] * 1e6:.3g}" for engine in ENGINES)
        + " |"
        for of in slow
    ]
    return "\n".join([head, *lines])
