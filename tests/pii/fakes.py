"""A scrubber that knows one word, and apps that say it."""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from chatkit_prod.asgi import Message, RawHeaders, Receive, Scope, Send
from chatkit_prod.pii.detector import Finding
from chatkit_prod.pii.scrubber import Scrubbed
from chatkit_prod.sse import SSEDecoder
from tests.servers import Wire, http_scope

WORD = "SECRET"
SSE = (b"content-type", b"text/event-stream; charset=utf-8")
JSON = (b"content-type", b"application/json")


def mask(text: str, scope: str = "") -> str:
    """Return what a text looks like without the word."""
    return text.replace(WORD, f"[{scope}]")


class FakeScrubber:
    """Takes out the word, and holds back what may be the beginning of it.

    Args:
        fails_at: At which call it raises; never if None.
        is_slow: Whether it asks for a thread.
        scoped: Whether what it puts there tells of the scope.

    Attributes:
        calls: How often it was called.
    """

    def __init__(
        self,
        *,
        fails_at: int | None = None,
        is_slow: bool = False,
        scoped: bool = False,
        error: Exception | None = None,
    ) -> None:
        self.is_slow = is_slow
        self.calls = 0
        self._fails_at = fails_at
        self._scoped = scoped
        self._error = error or LookupError(f"the text was {WORD}")

    def scrub(self, text: str, /, *, scope: str = "") -> Scrubbed:
        self.called()
        findings: list[Finding] = []
        start = -1
        while (start := text.find(WORD, start + 1)) >= 0:
            findings.append(Finding("WORD", start, start + len(WORD), "word"))
        return Scrubbed(self.masked(text, scope), tuple(findings))

    def stream(self, *, scope: str = "") -> "FakeWindow":
        return FakeWindow(self, scope)

    def masked(self, text: str, scope: str) -> str:
        return mask(text, scope if self._scoped else "")

    def called(self) -> None:
        self.calls += 1
        if self.calls - 1 == self._fails_at:
            raise self._error


class FakeWindow:
    """A window of it."""

    def __init__(self, scrubber: FakeScrubber, scope: str) -> None:
        self.counts = Counter[str]()
        self._scrubber = scrubber
        self._scope = scope
        self._held = ""

    def feed(self, delta: str) -> str:
        self._scrubber.called()
        text = self._held + delta
        self.counts["WORD"] += text.count(WORD)
        text = self._scrubber.masked(text, self._scope)
        held = next((n for n in range(len(WORD) - 1, 0, -1) if text.endswith(WORD[:n])), 0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]

    def finish(self) -> str:
        self._scrubber.called()
        held, self._held = self._held, ""
        return held


class Saying:
    """An app that reads a request and sends what it is told.

    Args:
        chunks: The bodies of its messages.
        headers: The headers of its response.
        status: The status of its response.

    Attributes:
        scopes: What it was called with.
        body: What it has read.
    """

    def __init__(self, chunks: Iterable[bytes], *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.chunks = list(chunks)
        self.headers = list(headers)
        self.status = status
        self.scopes: list[Scope] = []
        self.body = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        more = True
        while more:
            message = await receive()
            self.body += message.get("body", b"")
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for chunk in self.chunks:
            await send(part(chunk))
        await send(part(b"", more=False))


def part(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def streaming(*chunks: bytes) -> Saying:
    return Saying(chunks, SSE)


def answering(*chunks: bytes, headers: RawHeaders = ()) -> Saying:
    return Saying(chunks, JSON, (b"content-length", str(len(b"".join(chunks))).encode()), *headers)


async def said(app: Any, body: bytes = b"", scope: Scope | None = None) -> Wire:
    """Return what comes of a request."""
    return await Wire(body).request(app, http_scope() if scope is None else scope)


def event(value: Any) -> bytes:
    """Return an event as ChatKit writes it."""
    return b"data: " + json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n\n"


def updated(item_id: str, **update: Any) -> bytes:
    return event({"type": "thread.item.updated", "item_id": item_id, "update": update})


def text_delta(text: str, item_id: str = "msg_1", index: int = 0) -> bytes:
    return updated(item_id, type="assistant_message.content_part.text_delta", content_index=index, delta=text)


def value_delta(text: str, item_id: str = "wid_1", component: str = "c1", *, done: bool = False) -> bytes:
    return updated(
        item_id, type="widget.streaming_text.value_delta", component_id=component, delta=text, done=done
    )


def message_item(*texts: str, item_id: str = "msg_1") -> dict[str, Any]:
    return {
        "id": item_id,
        "thread_id": "thr_1",
        "created_at": "2026-01-02T03:04:05",
        "type": "assistant_message",
        "content": [{"annotations": [], "text": text, "type": "output_text"} for text in texts],
    }


def item_event(kind: str, item: dict[str, Any]) -> bytes:
    return event({"type": f"thread.item.{kind}", "item": item})


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Return some bytes in chunks."""
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


class Client:
    """Reads a stream as ChatKit's client does.

    Args:
        data: The bytes of it.

    Attributes:
        events: Its events.
        texts: What every part has said, by item and part.
    """

    def __init__(self, data: bytes) -> None:
        self.events = [found.json() for found in SSEDecoder().feed(data)]
        self.texts: dict[tuple[str, Any], str] = {}
        for found in self.events:
            self._read(found)

    def _read(self, found: Any) -> None:
        item, update = found.get("item", {}), found.get("update", {})
        parts = [(item.get("id"), index, part["text"]) for index, part in enumerate(item.get("content", []))]
        children = item.get("widget", {}).get("children", [])
        parts += [(item["id"], child.get("id"), child["value"]) for child in children]
        for item_id, place, text in parts:
            if found["type"] == "thread.item.added":
                self.texts[item_id, place] = text
            assert found["type"] != "thread.item.done" or self.texts.get((item_id, place), text) == text
        if found["type"] == "thread.item.updated":
            self._update((found["item_id"], update.get("content_index", update.get("component_id"))), update)

    def _update(self, place: tuple[str, Any], update: Any) -> None:
        if "delta" in update:
            self.texts[place] = self.texts.get(place, "") + update["delta"]
        elif update["type"].endswith("part.added"):
            self.texts[place] = update["content"]["text"]
        elif update["type"].endswith("part.done"):
            assert self.texts.get(place, "") == update["content"]["text"]
