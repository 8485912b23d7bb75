"""A row of every type, with a mark in every text that a user or a model may write."""

from datetime import datetime, timedelta
from typing import Any

from chatkit.types import Attachment, ThreadItem, ThreadMetadata
from pydantic import TypeAdapter

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901)  # noqa: DTZ001 - ChatKit's own times are naive
ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)
MARK = "kanari0001"
URL = f"https://{MARK}.example/"


def thread(thread_id: str = "thr_1", mark: str = MARK, **fields: Any) -> ThreadMetadata:
    values: dict[str, Any] = {
        "id": thread_id,
        "created_at": NOW,
        "title": mark,
        "status": {"type": "locked", "reason": mark},
        "allowed_image_domains": [f"{mark}.example"],
        "metadata": {"a": [mark, {mark: 1}]},
    }
    return ThreadMetadata.model_validate(values | fields)


def file(attachment_id: str = "atc_1", mark: str = MARK, **fields: Any) -> Attachment:
    upload = {"url": URL, "method": "PUT", "headers": {"x": mark}}
    values: dict[str, Any] = {"type": "file", "id": attachment_id, "name": mark, "mime_type": "text/plain"}
    values |= {"upload_descriptor": upload, "metadata": {"a": mark}}
    return ATTACHMENT.validate_python(values | fields)


def image(attachment_id: str = "atc_2", mark: str = MARK, **fields: Any) -> Attachment:
    values: dict[str, Any] = {"type": "image", "id": attachment_id, "name": mark, "mime_type": "image/png"}
    return ATTACHMENT.validate_python(values | {"preview_url": URL} | fields)


def items(thread_id: str = "thr_1", mark: str = MARK) -> list[ThreadItem]:
    """Return one item of each type."""
    card = {"type": "Card", "children": [{"type": "Text", "value": mark}]}
    task = {"type": "custom", "title": mark, "content": mark}
    question = {"type": "freeform", "id": "q", "question": mark, "answer": {"values": [mark]}}
    tag = {"type": "input_tag", "id": mark, "text": mark, "data": {"a": mark}}
    annotation = {"source": {"type": "url", "title": mark, "url": URL}}
    bodies: list[dict[str, Any]] = [
        {
            "type": "user_message",
            "content": [{"type": "input_text", "text": mark}, tag],
            "attachments": [file(mark=mark), image(mark=mark)],
            "quoted_text": mark,
            "inference_options": {"model": mark},
        },
        {"type": "assistant_message", "content": [{"text": mark, "annotations": [annotation]}]},
        {"type": "client_tool_call", "call_id": mark, "name": mark, "arguments": {"a": mark}, "output": mark},
        {"type": "widget", "widget": card, "copy_text": mark},
        {"type": "generated_image", "image": {"id": mark, "url": URL}},
        {"type": "structured_input", "inputs": [question]},
        {"type": "task", "task": task},
        {"type": "workflow", "workflow": {"type": "custom", "tasks": [task], "summary": {"title": mark}}},
        {"type": "hidden_context_item", "content": {"a": [mark]}},
        {"type": "sdk_hidden_context", "content": mark},
        {"type": "end_of_turn"},
    ]
    return [
        ITEM.validate_python(
            {
                "id": f"itm_{number}",
                "thread_id": thread_id,
                "created_at": NOW + timedelta(seconds=number),
                **body,
            }
        )
        for number, body in enumerate(bodies)
    ]


def item(number: int = 1, thread_id: str = "thr_1", mark: str = MARK) -> ThreadItem:
    return items(thread_id, mark)[number]
