"""What holds wherever the counters are: run by `test_storages.py`, and on a real Redis by the integration tests."""

import asyncio
import random
from typing import Any

import anyio
import pytest

from chatkit_prod.limits import Rules
from chatkit_prod.usage import add_tokens
from tests.limits.apps import LIST, MESSAGE, STREAM, Inside, ask, limited, passes, user
from tests.servers import Gate, bounded


class Storages:
    """Needs a fixture `storage`, an empty one for each test."""

    @bounded
    async def test_a_user_gets_as_many_requests_as_the_rule_says(self, storage: str) -> None:
        async with limited(Rules(requests="3/minute"), storage=storage) as app:
            assert [await passes(app) for _ in range(5)] == [True] * 3 + [False] * 2
            assert await passes(app, principal=user("user_2"))

    @bounded
    async def test_concurrent_requests_do_not_get_more(self, storage: str) -> None:
        async with limited(Rules(requests="7/minute"), storage=storage, storage_timeout=5) as app:
            found = await asyncio.gather(*(passes(app) for _ in range(40)))
            assert sum(found) == 7

    @bounded
    async def test_users_of_a_tenant_share_its_requests_but_not_with_another(self, storage: str) -> None:
        rules = Rules(tenant_requests="2/minute")
        async with limited(rules, storage=storage) as app:
            members = [user("a", "t"), user("b", "t"), user("c", "t"), user("a", "other"), user("a")]
            assert [await passes(app, principal=member) for member in members] == [
                True,
                True,
                False,
                True,
                True,
            ]

    @bounded
    async def test_what_a_user_is_refused_is_not_taken_from_the_tenant(self, storage: str) -> None:
        async with limited(Rules(requests="1/minute", tenant_requests="2/minute"), storage=storage) as app:
            greedy = [await passes(app, principal=user("a", "t")) for _ in range(5)]
            assert greedy == [True, False, False, False, False]
            assert await passes(app, principal=user("b", "t"))

    @bounded
    async def test_messages_are_counted_and_other_requests_are_not(self, storage: str) -> None:
        async with limited(Rules(messages="2/day"), storage=storage) as app:
            assert [await passes(app, body) for body in (LIST, MESSAGE, STREAM, MESSAGE, MESSAGE, LIST)] == [
                True,
                True,
                True,
                True,
                False,
                True,
            ]

    @bounded
    async def test_a_request_may_begin_while_a_token_is_left(self, storage: str) -> None:
        async def spend() -> None:
            add_tokens(60)

        async with limited(Rules(tokens="100/day"), Inside(spend), storage=storage) as app:
            assert [await passes(app, MESSAGE) for _ in range(3)] == [True, True, False]
            assert await passes(app, LIST)
            assert (await ask(app, MESSAGE, user("other"))).headers["ratelimit"].startswith('"tokens";r=100;')

    @bounded
    async def test_a_user_has_as_many_streams_open_as_the_rule_says(self, storage: str) -> None:
        gate = Gate()
        async with limited(Rules(streams=2), Inside(gate), storage=storage) as app:
            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(ask, app, STREAM, user())
                while len(app.app.bodies) < 2:  # type: ignore[attr-defined] # noqa: ASYNC110 - nobody tells
                    await asyncio.sleep(0.001)
                refused = await ask(app, STREAM, user())
                assert refused.event["code"] == "custom"
                gate.opened.set()
                assert await passes(app, LIST)
                assert await passes(app, STREAM, user("user_2"))
            assert await passes(app, STREAM)

    @bounded
    @pytest.mark.parametrize(
        "ending", [RuntimeError("it failed"), asyncio.CancelledError()], ids=["error", "cancelled"]
    )
    async def test_a_stream_that_fails_gives_its_slot_back(self, storage: str, ending: BaseException) -> None:
        async def fail() -> None:
            add_tokens(60)
            raise ending

        async with limited(Rules(streams=1, tokens="100/day"), Inside(fail), storage=storage) as app:
            for _ in range(2):
                with pytest.raises(type(ending)):
                    await ask(app, STREAM, user())
            assert not await passes(app, STREAM)  # the tokens are gone, and were counted

    async def test_streams_that_are_cancelled_at_random_leave_no_slot_taken(self, storage: str) -> None:
        await cancel_at_random(storage, rounds=3)


async def cancel_at_random(storage: str, *, rounds: int, streams: int = 20) -> None:
    """Cancel streams at any moment, twice some of them, and show that every slot is free again."""
    chance = random.Random(storage)

    async def work() -> None:
        await asyncio.sleep(chance.random() * 0.02)

    rules: dict[str, Any] = {"streams": streams, "messages": "1000000/day", "tokens": "1000000/day"}
    async with limited(Rules(**rules), Inside(work), storage=storage, storage_timeout=5) as app:
        for _ in range(rounds):
            tasks = [asyncio.create_task(ask(app, MESSAGE, user())) for _ in range(streams)]
            for task in tasks:
                await asyncio.sleep(chance.random() * 0.002)
                task.cancel()
                if chance.random() < 0.5:
                    asyncio.get_running_loop().call_later(chance.random() * 0.002, task.cancel)
            await asyncio.wait(tasks)
            gate = Gate()
            held = Inside(gate)
            app.app = held
            with anyio.fail_after(5):  # what was cancelled twice is given back by its own task
                async with anyio.create_task_group() as group:
                    while len(held.bodies) < streams:
                        group.start_soon(ask, app, MESSAGE, user())
                        await asyncio.sleep(0.005)
                    gate.opened.set()
            app.app = Inside(work)
