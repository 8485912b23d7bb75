"""What the layers cost, side by side with the handler of ChatKit's guide: `make bench`.

CPU time per request in one process, an equal server and store behind each, no socket in between;
medians of paired rounds. With `--write` the tables also replace those in README.md and in the docs.
"""

import argparse
import asyncio
import gc
import platform
import re
import statistics
from importlib.metadata import version
from pathlib import Path

from chatkit.types import StreamingReq
from pydantic import TypeAdapter

from chatkit_prod.testing import chatkit_request, user_message

from . import access, encryption, limits, locale, pii, tracing
from .apps import THREAD, BenchServer, alone, bare, hardened, identity_provider
from .measure import Batch, Request, Row, batch, paired, ratio
from .tokens import cached, uncached

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
ACCESS = ROOT / "docs/how-to/access.md"
SCRUBBING = ROOT / "docs/how-to/scrub-requests-and-answers.md"
PEERS = ROOT / ".venv-peers/bin/python"
DELTAS = 200
LONG_DELTAS = 2200

LIST = chatkit_request("threads.list", limit=20)
SEND = chatkit_request("threads.add_user_message", thread_id=THREAD.id, input=user_message("Hello"))


def generator(server: BenchServer) -> Batch:
    """Return a batch that only iterates what the server's `process` returns."""

    request = TypeAdapter[StreamingReq](StreamingReq).validate_json(SEND)

    async def nothing(_scope: object, _receive: object, _send: object) -> None:
        async for _ in server._process_streaming(request, None):
            pass

    return batch(Request(SEND, {}), nothing, server.reset, size=3)


def signed_in() -> dict[str, str]:
    """Return the headers of a user, for any of the apps."""
    return {
        "host": "localhost",
        "content-type": "application/json",
        "accept-language": "fr",
        "x-user-id": "user",
        "authorization": f"Bearer {identity_provider.token('user')}",
    }


async def rows(rounds: int, traced: tracing.Costs) -> list[Row]:
    """Measure everything else."""
    headers = signed_in()
    list_threads, send_message = Request(LIST, headers), Request(SEND, headers)
    # Each has a server of its own: with all layers, the server itself is traced.
    servers = {name: BenchServer(DELTAS) for name in ("bare", "alone", "hardened")}
    long, long_hardened = BenchServer(LONG_DELTAS), BenchServer(LONG_DELTAS)
    apps = {
        "bare": bare(servers["bare"]),
        "alone": alone(servers["alone"]),
        "hardened": hardened(servers["hardened"]),
    }

    lists = await paired(
        {
            name: batch(list_threads, app, servers[name].reset, size=10 if name == "bare" else 100)
            for name, app in apps.items()
        },
        rounds=rounds,
    )
    streams = await paired(
        {name: batch(send_message, app, servers[name].reset, size=3) for name, app in apps.items()},
        rounds=rounds,
    )
    firsts = await paired(
        {
            name: batch(send_message, app, servers[name].reset, size=3, first=True)
            for name, app in apps.items()
        },
        rounds=rounds,
    )
    lengths = await paired(
        {
            "short": batch(send_message, apps["hardened"], servers["hardened"].reset, size=3),
            "long": batch(send_message, hardened(long_hardened), long_hardened.reset, size=3),
            "short, generator": generator(servers["bare"]),
            "long, generator": generator(long),
        },
        rounds=max(rounds // 3, 5),
    )
    added = statistics.median(
        ((longer - short) - (longer_bare - short_bare)) / (LONG_DELTAS - DELTAS)
        for short, longer, short_bare, longer_bare in zip(*lengths.values(), strict=True)
    )
    uncached_tokens = await uncached(rounds)
    known_token, middleware = await cached(rounds)
    guarded = await access.ratios(headers, rounds, DELTAS)
    return [
        Row("`threads.list`, `ChatKitEndpoint` alone", ratio(lists, "alone", "bare"), 0.02),
        Row(
            "`threads.list`, `harden()` with all layers, RS256 token",
            ratio(lists, "hardened", "bare"),
            0.08,
        ),
        Row("a 200-delta stream, endpoint alone", ratio(streams, "alone", "bare"), 0.45),
        Row("a 200-delta stream, all layers", ratio(streams, "hardened", "bare"), 0.55),
        Row("added per event, against iterating the server's generator", added * 1e6, 3, " µs"),
        Row("time to first event, all layers", ratio(firsts, "hardened", "bare"), 1, strict=True),
        *(
            Row(f"a new {algorithm} token, against joserfc's decode", value, 1.15)
            for algorithm, value in uncached_tokens.items()
        ),
        Row("a known token, verified", known_token * 1e6, 4, " µs"),
        Row("a known token, the whole `AuthMiddleware`", middleware * 1e6, 15, " µs"),
        Row(
            "a repeated `Accept-Language`, of 200 locales", locale.repeated(rounds)["here"] * 1e6, 0.5, " µs"
        ),
        Row("a new `Accept-Language`, of 50 locales", locale.new(rounds)["here"] * 1e6, 60, " µs"),
        Row("`LocaleMiddleware`, added to a request", await locale.layer(rounds) * 1e6, 6, " µs"),
        Row("import of `chatkit_prod.locale`, against langcodes alone", locale.import_ratio(11), 1.1),
        Row("tracing a stream, against OpenTelemetry's instrumentation", traced.share, 0.5),
        Row("tracing, each chunk of a stream", traced.chunk * 1e6, 0.4, " µs"),
        Row("all of tracing, `threads.list`", traced.full * 1e6, 150, " µs"),
        Row("all of tracing where no SDK is configured, `threads.list`", traced.silent * 1e6, 15, " µs"),
        Row("a `threads.get_by_id` of 20 items with `access=`, against without", guarded.read, 1.1),
        Row("the same of an empty thread", guarded.empty, 1.1),
        Row("a 200-delta stream with `access=`, against without", guarded.stream, 1.02),
        Row("calls of the app's store in either, more than without", await access.further_calls(headers), 1),
    ]


def table(found: list[Row]) -> str:
    """Return the rows as Markdown, with what they were measured on."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("openai-chatkit", "starlette", "fastapi", "pydantic")
    )
    head = "| case | ours ÷ bare | limit |\n|---|---|---|"
    lines = "\n".join(map(str, found))
    return f"{head}\n{lines}\n\nPython {platform.python_version()}, {packages}."


def write(page: Path, marker: str, text: str) -> None:
    """Replace what stands between two markers of a page."""
    marked = re.compile(rf"(?<=<!-- {marker}:start -->\n).*?(?=<!-- {marker}:end -->)", re.DOTALL)
    page.write_text(marked.sub(lambda _: f"\n{text}\n\n", page.read_text("utf-8")), "utf-8")


def main() -> None:
    """Print the tables; exit with 1 when a figure is over its limit."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31, help="paired rounds; the medians of them count")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the tables into README.md and the pages on access and scrubbing",
    )
    parser.add_argument(
        "--peers", type=Path, default=PEERS, help="the interpreter that has Presidio and DataFog"
    )
    options = parser.parse_args()
    if not options.peers.exists():
        parser.error(f"{options.peers} is not there: make bench installs it")
    as_json = {"content-type": "application/json"}
    traced = asyncio.run(tracing.costs(Request(LIST, as_json), Request(SEND, as_json), options.rounds))
    found = asyncio.run(rows(options.rounds, traced))
    gc.collect()
    gc.freeze()  # what the others have left in memory is not looked at again and again
    speeds, hostile = pii.speeds(options.peers), pii.hostiles()
    found += asyncio.run(encryption.rows(signed_in(), options.rounds))
    found += asyncio.run(limits.rows(options.rounds))
    found += asyncio.run(pii.rows(speeds, hostile, Request(SEND, signed_in()), options.rounds))
    scrubbing = f"{pii.table(speeds)}\n\n{pii.hostile_table(hostile)}"
    walks = access.table(asyncio.run(access.walks()))
    languages = locale.table(locale.repeated(options.rounds), locale.new(options.rounds))
    print(
        f"{table(found)}\n\nTracing:\n\n{tracing.table(traced)}\n\nThe choice of a language:\n\n{languages}\n\nScrubbing:\n\n{scrubbing}\n\n`load_threads` for a user who has 20 of 100,000 threads:\n\n{walks}"
    )
    if options.write:
        write(README, "bench", table(found))
        write(ACCESS, "bench", walks)
        write(SCRUBBING, "bench", scrubbing)
    if not all(row.holds for row in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
