"""ChatKit requests as a client sends them."""

import json
from collections.abc import Sequence
from typing import Any


def user_message(
    text: str, *, attachments: Sequence[str] = (), quoted_text: str | None = None
) -> dict[str, Any]:
    """Return the `input` of a request that sends a message."""
    return {
        "content": [{"type": "input_text", "text": text}],
        "attachments": list(attachments),
        "quoted_text": quoted_text,
        "inference_options": {},
    }


def chatkit_request(type: str, **params: Any) -> bytes:  # noqa: A002
    """Return the body of a request.

    Args:
        type: The request type, such as `threads.create`.
        params: Its parameters.
    """
    return json.dumps({"type": type, "params": params}).encode()


def one_of_each(
    *, thread_id: str = "thr_1", item_id: str = "msg_1", attachment_id: str = "atc_1", text: str = "Hello"
) -> dict[str, bytes]:
    """Return a valid body for each of the 16 request types, by type.

    Args:
        thread_id: The thread that they name.
        item_id: The item that they name.
        attachment_id: The attachment that `attachments.delete` names.
        text: What the user writes, wherever a user can write.
    """
    params: dict[str, dict[str, Any]] = {
        "threads.create": {"input": user_message(text)},
        "threads.add_user_message": {"thread_id": thread_id, "input": user_message(text, quoted_text=text)},
        "threads.add_client_tool_output": {"thread_id": thread_id, "result": {"text": text}},
        "threads.add_structured_input": {
            "thread_id": thread_id,
            "item_id": item_id,
            "input": {"answers": {"q1": {"values": [text]}}},
        },
        "threads.retry_after_item": {"thread_id": thread_id, "item_id": item_id},
        "threads.custom_action": {
            "thread_id": thread_id,
            "action": {"type": "open", "payload": {"text": text}},
        },
        "threads.sync_custom_action": {
            "thread_id": thread_id,
            "action": {"type": "open", "payload": {"text": text}},
        },
        "threads.get_by_id": {"thread_id": thread_id},
        "threads.list": {"limit": 10},
        "threads.update": {"thread_id": thread_id, "title": text},
        "threads.delete": {"thread_id": thread_id},
        "items.list": {"thread_id": thread_id},
        "items.feedback": {"thread_id": thread_id, "item_ids": [item_id], "kind": "positive"},
        "attachments.create": {"name": "notes.txt", "size": 5, "mime_type": "text/plain"},
        "attachments.delete": {"attachment_id": attachment_id},
        "input.transcribe": {"audio_base64": "UklGRg==", "mime_type": "audio/webm"},
    }
    return {name: chatkit_request(name, **values) for name, values in params.items()}
