"""A user who closes the tab at any moment loses nothing."""

import asyncio
import random
from collections.abc import Callable
from functools import partial

import pytest

from chatkit_prod import harden
from chatkit_prod.access import OwnerOnly
from chatkit_prod.auth import JWTBearer
from chatkit_prod.testing import LocalIdentityProvider, one_of_each

from .desk import Desk, Transcript, by_question, create, desk_context, furnish, random_pauses, transcripts
from .servers import SERVERS, ServerName, Watched, serve, soon
from .wire import Connection, Farewell, connect

pytestmark = pytest.mark.anyio

_AT_ONCE = 50
_WORDS = tuple(f"word{number} " for number in range(60))
_MOMENTS = ("before the first byte", "after some events", "after some bytes", "after some time")
_EVENTS_BEFORE_WORDS = 3  # in every operation; some have more
_LARGE = ("x" * 200_000,) * 200


def _hardened(desk: Desk, auth: JWTBearer) -> Watched:
    return Watched(harden(desk, auth=auth, access=OwnerOnly(), context_factory=desk_context))


async def _leave(moment: str, rng: random.Random, connection: Connection, read: asyncio.Event) -> None:
    """Wait for a random moment of one kind."""
    match moment:
        case "before the first byte":
            await soon(read)
            await asyncio.sleep(rng.uniform(0, 0.008))
        case "after some events":
            await connection.head()
            left = rng.randrange(1, _EVENTS_BEFORE_WORDS + len(_WORDS))
            async for _ in connection.events():
                left -= 1
                if left == 0:
                    break
        case "after some bytes":
            await connection.read(rng.randrange(1, 6000))
        case _:
            await connection.head()
            await asyncio.sleep(rng.uniform(0, 0.2))


async def _disconnect(port: int, name: str, seed: int, headers: dict[str, str], app: Watched) -> str:
    rng = random.Random(f"{seed} {name}")
    moment = rng.choice(_MOMENTS)
    how: Farewell = rng.choice(("fin", "rst"))
    async with connect(port) as connection:
        await connection.send(create(name), headers={**headers, "x-name": name})
        await _leave(moment, rng, connection, app.read[name])
        connection.go(how)
    await soon(app.ended[name])
    return f"{moment}, {how}"


def _wrong(found: Transcript | None, produced: list[str]) -> str:
    """Say what the store lacks, or nothing."""
    if found is None:
        return "the user's message is lost"
    text = "".join(produced)
    if found.answers != ([text] if text else []):
        return f"{len(produced)} words were produced, stored is {found.answers}"
    return "" if found.markers == 1 else f"{found.markers} markers"


@pytest.mark.parametrize(
    ("server", "count"),
    [
        pytest.param("uvicorn-h11", 300, id="uvicorn-h11"),
        pytest.param("uvicorn-httptools", 300, id="uvicorn-httptools"),
        pytest.param("hypercorn", 60, id="hypercorn"),
        pytest.param("granian", 60, id="granian"),
    ],
)
async def test_after_a_disconnect_at_any_moment_the_partial_message_and_the_marker_are_stored(
    server: ServerName,
    count: int,
    seed: int,
    auth: JWTBearer,
    bearer: dict[str, str],
    figures: Callable[[str], None],
) -> None:
    desk = Desk(words=_WORDS, pause=random_pauses(random.Random(seed)), endless=True)
    app = _hardened(desk, auth)
    how: dict[str, str] = {}
    names = [f"question {number}" for number in range(count)]
    async with serve(app, server=server) as port:
        for start in range(0, count, _AT_ONCE):
            batch = names[start : start + _AT_ONCE]
            left = await asyncio.gather(*(_disconnect(port, name, seed, bearer, app) for name in batch))
            how |= dict(zip(batch, left, strict=True))
    stored = await by_question(desk.memory)
    problems = {
        name: f"{how[name]}: {problem}"
        for name in names
        if (
            problem := _wrong(
                stored.get(name), desk.produced[stored[name].thread_id] if name in stored else []
            )
        )
    }
    partial = sum(bool(stored[name].answers) for name in names if name in stored)
    figures(
        f"{count - len(problems)}/{count} disconnects on {server} saved everything, {partial} of them a partial message"
    )
    assert problems == {}, f"seed {seed}"
    assert len(stored) == count
    assert app.errors == []
    assert 0 < partial < count


@pytest.mark.parametrize("server", SERVERS)
async def test_a_disconnect_around_the_end_leaves_the_whole_answer_or_the_part_with_the_marker(
    server: ServerName, seed: int, auth: JWTBearer, bearer: dict[str, str]
) -> None:
    words = _WORDS[:6]
    desk = Desk(words=words, pause=random_pauses(random.Random(seed), longest=0.002))
    app = _hardened(desk, auth)
    names = [f"question {number}" for number in range(60)]

    async def leave_near_the_end(port: int, name: str) -> None:
        rng = random.Random(f"{seed} {name}")
        async with connect(port) as connection:
            await connection.send(create(name), headers={**bearer, "x-name": name})
            await connection.head()
            left = rng.randrange(7, 13)
            async for _ in connection.events():
                left -= 1
                if left == 0:
                    break
            connection.go(rng.choice(("fin", "rst")))
        await soon(app.ended[name])

    async with serve(app, server=server) as port:
        await asyncio.gather(*(leave_near_the_end(port, name) for name in names))
    stored = await by_question(desk.memory)
    assert stored.keys() == set(names)
    for found in stored.values():
        produced = desk.produced[found.thread_id]
        if found.markers:
            assert _wrong(found, produced) == "", f"seed {seed}"
        else:
            assert found.answers == ["".join(words)], f"seed {seed}"
    assert any(not found.markers for found in stored.values())


@pytest.mark.parametrize("server", SERVERS)
async def test_a_client_that_is_gone_before_it_was_heard_leaves_all_or_nothing(
    server: ServerName, seed: int, auth: JWTBearer, bearer: dict[str, str]
) -> None:
    desk = Desk(words=_WORDS, pause=random_pauses(random.Random(seed)), endless=True)
    app = _hardened(desk, auth)
    names = [f"question {number}" for number in range(40)]
    async with serve(app, server=server) as port:
        for name in names:
            async with connect(port) as connection:
                await connection.send(create(name), headers={**bearer, "x-name": name})
                connection.go("fin")
        async with connect(port) as connection:  # whoever came before has been accepted by now
            await connection.send(create("last"), headers={**bearer, "x-name": "last"})
            await connection.head()
        begun = [name for name in [*names, "last"] if name in app.read or name in app.ended]
        await asyncio.gather(*(soon(app.ended[name]) for name in begun))
    stored = await by_question(desk.memory)
    assert {
        name: _wrong(found, desk.produced[found.thread_id]) for name, found in stored.items()
    } == dict.fromkeys(stored, ""), f"seed {seed}"
    assert app.errors == []


@pytest.mark.parametrize(
    "operation",
    [
        "threads.add_user_message",
        "threads.add_client_tool_output",
        "threads.add_structured_input",
        "threads.retry_after_item",
        "threads.custom_action",
    ],
)
async def test_every_other_streaming_operation_saves_the_partial_message_too(
    operation: str, seed: int, auth: JWTBearer, bearer: dict[str, str]
) -> None:
    desk = Desk(words=_WORDS, pause=random_pauses(random.Random(seed)), endless=True)
    app = _hardened(desk, auth)

    async def cut(port: int, number: int) -> str:
        name = f"{number}"
        rng = random.Random(f"{seed} {operation} {name}")
        ids = await furnish(desk, name)
        item_id = ids.form_id if operation == "threads.add_structured_input" else ids.message_id
        body = one_of_each(thread_id=ids.thread_id, item_id=item_id)[operation]
        async with connect(port) as connection:
            await connection.send(body, headers={**bearer, "x-name": name})
            await _leave(rng.choice(_MOMENTS[1:]), rng, connection, app.read[name])
            connection.go(rng.choice(("fin", "rst")))
        await soon(app.ended[name])
        return ids.thread_id

    async with serve(app) as port:
        threads = await asyncio.gather(*(cut(port, number) for number in range(20)))
    stored = {found.thread_id: found for found in await transcripts(desk.memory)}
    assert {thread: _wrong(stored[thread], desk.produced[thread]) for thread in threads} == dict.fromkeys(
        threads, ""
    )


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("server", SERVERS)
async def test_a_disconnect_while_nobody_reads_saves_the_partial_message(
    server: ServerName, how: Farewell, auth: JWTBearer, bearer: dict[str, str]
) -> None:
    desk = Desk(words=_LARGE, pause=partial(asyncio.sleep, 0))
    app = _hardened(desk, auth)
    async with serve(app, server=server) as port:
        async with connect(port, receive_buffer=4096) as connection:
            await connection.send(create("question"), headers={**bearer, "x-name": "question"})
            await soon(app.blocked["question"])
            connection.go(how)
        await soon(app.ended["question"])
    found = (await by_question(desk.memory))["question"]
    produced = desk.produced[found.thread_id]
    assert 0 < len(produced) < len(desk.words)
    assert _wrong(found, produced) == ""
    assert app.errors == []


async def test_a_client_that_does_not_read_is_let_go_at_the_end_of_its_token(
    idp: LocalIdentityProvider, auth: JWTBearer
) -> None:
    desk = Desk(words=_LARGE, pause=partial(asyncio.sleep, 0))
    app = Watched(harden(desk, auth=auth, context_factory=desk_context, cancel_grace=0.2))
    headers = {"authorization": f"Bearer {idp.token('alice', expires_in=1.0)}", "x-name": "question"}
    async with serve(app) as port, connect(port, receive_buffer=4096) as connection:
        await connection.send(create("question"), headers=headers)
        await soon(app.ended["question"])
    found = (await by_question(desk.memory))["question"]
    assert _wrong(found, desk.produced[found.thread_id]) == ""
