"""The tour, taken over a real socket: a line for each step, and what was seen when it is wrong."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus

import httpx2

from chatkit_prod.testing import Answer

from .lines import LINES
from .tour import CUT, DOWN, IN_FRENCH, READ_BACK, STRANGER, TOUR, WITH_TOKEN, WITHOUT_TOKEN, Step

_PATIENCE_SECONDS = 5.0
_SHOWN_CHARACTERS = 1000

Answers = Mapping[Step, Answer]


async def smoke(url: str, tokens: Mapping[str, str]) -> bool:
    """Take every step of the tour, and tell whether all of them are as they should be.

    Args:
        url: The ChatKit endpoint of the running demo.
        tokens: A token for each user.
    """
    answers: dict[Step, Answer] = {}
    passed = True
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as client:
        for step in TOUR:
            as_expected = _EXPECTED[step]
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while True:
                answers[step] = await _ask(client, url, step, tokens, _thread_id(answers))
                right = as_expected(answers)
                if right or step is not READ_BACK or time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.05)  # the server is still saving what was cut
            passed = passed and right
            print(f"{'ok    ' if right else 'FAILED'}  {step.title}", flush=True)
            if not right:
                print(f"        saw {_shown(answers[step])}", flush=True)
    return passed


async def _ask(
    client: httpx2.AsyncClient, url: str, step: Step, tokens: Mapping[str, str], thread_id: str
) -> Answer:
    body = b""
    request = client.build_request(
        "POST", url, headers=step.headers(tokens), content=step.content(thread_id).encode()
    )
    response = await client.send(request, stream=True)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(step.seconds):
                async for chunk in response.aiter_raw():
                    body += chunk
    finally:
        await response.aclose()
    return Answer(response.status_code, dict(response.headers), body)


def _thread_id(answers: Answers) -> str:
    cut = answers.get(CUT)
    return cut.events[0]["thread"]["id"] if cut and cut.status == HTTPStatus.OK and cut.events else ""


def _words(answer: Answer) -> str:
    """Return what the assistant said in a stream."""
    updates = [event["update"] for event in answer.events if event["type"] == "thread.item.updated"]
    return "".join(update["delta"] for update in updates if update["type"].endswith("text_delta"))


def _refuses(answers: Answers) -> bool:
    answer = answers[WITHOUT_TOKEN]
    return answer.status == HTTPStatus.UNAUTHORIZED and "www-authenticate" in answer.headers


def _greets(answers: Answers) -> bool:
    answer = answers[WITH_TOKEN]
    return (
        answer.status == HTTPStatus.OK
        and "x-request-id" in answer.headers
        and _words(answer) == f"{LINES['en'].greeting} {LINES['en'].offer}"
    )


def _speaks_french(answers: Answers) -> bool:
    answer = answers[IN_FRENCH]
    progress = [event["text"] for event in answer.events if event["type"] == "progress_update"]
    return (
        answer.headers.get("content-language") == "fr"
        and progress == ["Je cherche votre commande…"]
        and _words(answer) == f"Votre commande A-1001 est en route. {LINES['fr'].more}"
    )


def _fails_in_german(answers: Answers) -> bool:
    answer = answers[DOWN]
    errors = [event["message"] for event in answer.events if event["type"] == "error"]
    return answer.headers.get("content-language") == "de" and errors == [
        "Der Shop antwortet nicht. Versuchen Sie es in ein paar Minuten noch einmal."
    ]


def _is_cut(answers: Answers) -> bool:
    answer = answers[CUT]
    done = [event["item"]["type"] for event in answer.events if event["type"] == "thread.item.done"]
    return _words(answer) != "" and done == ["user_message"]


def _is_saved(answers: Answers) -> bool:
    answer = answers[READ_BACK]
    if answer.status != HTTPStatus.OK:
        return False
    items = answer.json()["items"]["data"]
    if [item["type"] for item in items] != ["user_message", "assistant_message"]:
        return False
    saved: str = items[1]["content"][0]["text"]
    return saved.startswith(_words(answers[CUT]))


def _hides_the_thread(answers: Answers) -> bool:
    answer = answers[STRANGER]
    return answer.status == HTTPStatus.NOT_FOUND and answer.json()["code"] == "not_found"


_EXPECTED: Mapping[Step, Callable[[Answers], bool]] = {
    WITHOUT_TOKEN: _refuses,
    WITH_TOKEN: _greets,
    IN_FRENCH: _speaks_french,
    DOWN: _fails_in_german,
    CUT: _is_cut,
    READ_BACK: _is_saved,
    STRANGER: _hides_the_thread,
}


def _shown(answer: Answer) -> str:
    return (
        f"{answer.status} {dict(answer.headers)} {answer.body[:_SHOWN_CHARACTERS].decode(errors='replace')}"
    )
