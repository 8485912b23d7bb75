"""The same endpoint works in every framework, and behind what stands in front of it there."""

import asyncio
import random
from collections.abc import Mapping

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from chatkit_prod import harden
from chatkit_prod.auth import JWTBearer
from chatkit_prod.testing import chatkit_request

from .desk import Desk, by_question, create, desk_context, furnish, random_pauses
from .frameworks import FRAMEWORKS, Factory
from .servers import Watched, serve, soon
from .wire import ask, connect

pytestmark = pytest.mark.anyio

_JSON = chatkit_request("threads.list", limit=10)

frameworks = pytest.mark.parametrize(
    ("factory", "path"), [pytest.param(*values, id=name) for name, values in FRAMEWORKS.items()]
)


@frameworks
async def test_the_endpoint_works_the_same_in_every_framework(
    factory: Factory, path: str, seed: int, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    desk = Desk(pause=random_pauses(random.Random(seed)), endless=True)
    app = Watched(factory(desk, auth))
    await furnish(desk, "old")
    async with serve(app) as port:
        # A request without a token is refused, by a problem.
        refused, _ = await ask(port, _JSON, path=path)
        assert refused.status == 401
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.headers["www-authenticate"] == 'Bearer realm="chatkit"'

        # JSON.
        listed, _ = await ask(port, _JSON, path=path, headers=bearer)
        assert listed.status == 200
        assert [thread["id"] for thread in listed.json()["data"]] == ["thr_old"]

        # Another method.
        wrong, _ = await ask(port, method="PUT", path=path, headers=bearer)
        assert wrong.status == 405
        assert "POST" in wrong.headers["allow"]

        # Events leave while the answer is still open; a disconnect then saves what there is.
        async with connect(port) as connection:
            headers = {**bearer, "x-name": "cut", "accept-encoding": "gzip"}
            await connection.send(create("cut"), path=path, headers=headers)
            await connection.head()
            assert connection.status == 200
            assert connection.headers["content-type"] == "text/event-stream; charset=utf-8"
            assert "content-encoding" not in connection.headers
            async for event in connection.events():
                if event.get("update", {}).get("delta") == desk.words[-1]:
                    break
            connection.go("rst")
        await soon(app.ended["cut"])

        # A stream to its end.
        desk.finish.set()
        whole, complete = await ask(port, create("whole"), path=path, headers=bearer)
        assert complete
        assert whole.events[-1]["item"]["content"][0]["text"] == "".join(desk.words)
    stored = await by_question(desk.memory)
    assert (stored["cut"].answers, stored["cut"].markers) == (["".join(desk.words)], 1)
    assert (stored["whole"].answers, stored["whole"].markers) == (["".join(desk.words)], 0)
    assert app.errors == []


@frameworks
async def test_a_disconnect_at_any_moment_saves_the_partial_message_in_every_framework(
    factory: Factory, path: str, seed: int, auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    desk = Desk(words=["a ", "b "] * 15, pause=random_pauses(random.Random(seed)), endless=True)
    app = Watched(factory(desk, auth))

    async def cut(port: int, name: str) -> None:
        rng = random.Random(f"{seed} {name}")
        async with connect(port) as connection:
            await connection.send(create(name), path=path, headers={**bearer, "x-name": name})
            await soon(app.read[name])
            await asyncio.sleep(rng.choice((0, rng.uniform(0, 0.1))))
            connection.go(rng.choice(("fin", "rst")))
        await soon(app.ended[name])

    names = [f"question {number}" for number in range(20)]
    async with serve(app) as port:
        await asyncio.gather(*(cut(port, name) for name in names))
    stored = await by_question(desk.memory)
    assert stored.keys() == set(names)
    for found in stored.values():
        text = "".join(desk.produced[found.thread_id])
        assert (found.answers, found.markers) == ([text] if text else [], 1), f"seed {seed}"
    # BaseHTTPMiddleware raises this when the client is gone before there is a status to send.
    assert {str(error) for error in app.errors} <= {"No response returned."}


async def test_a_bare_mount_redirects_a_post_which_is_why_no_framework_above_uses_one(
    auth: JWTBearer, bearer: Mapping[str, str]
) -> None:
    chatkit = harden(Desk(), auth=auth, context_factory=desk_context)
    async with serve(Starlette(routes=[Mount("/chatkit", chatkit)])) as port:
        redirected, _ = await ask(port, _JSON, headers=bearer)
        assert redirected.status == 307
        assert redirected.headers["location"] == "http://127.0.0.1/chatkit/"
        assert (await ask(port, _JSON, path="/chatkit/", headers=bearer))[0].status == 200
