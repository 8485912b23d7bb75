"""Which texts of an event a later event may add to, and which of them an event puts an end to."""

import json
from collections.abc import Collection, Iterator
from typing import Any, Final, NamedTuple

from .jsontext import is_array, is_object

_TEXT_DELTA: Final = "assistant_message.content_part.text_delta"
_VALUE_DELTA: Final = "widget.streaming_text.value_delta"
_WIDGET_TEXTS = ("Text", "Markdown")
_NAMES = ("_id", "_index")
_ENDS = ("thread.item.done", "thread.item.replaced", "thread.item.removed")

Place = tuple[str, str]
"""Where a text stands for its client: in which item, and where there."""


class Grows(NamedTuple):
    """A text that may grow.

    Args:
        place: Where it stands for its client.
        holder: What holds it in this event.
        key: Under which key.
        begins: Whether the text begins with this event.
        is_whole: Whether all of it comes each time, as a thought does.
        next: The event that would bring more of it.
        next_holder: What would hold the text there.
        next_key: Under which key.
    """

    place: Place
    holder: dict[str, Any]
    key: str
    begins: bool
    is_whole: bool
    next: dict[str, Any]
    next_holder: dict[str, Any]
    next_key: str


def growing_in(event: dict[str, Any]) -> Iterator[Grows]:
    """Yield the texts of an event that later events may add to.

    They are what deltas go on with, of whatever type, and thoughts, which ChatKit sends again with each word. An
    app that lets another text of its own grow, by sending all of it again, shows the beginning of an address.

    Args:
        event: As the app has made it.
    """
    item_id, item, update = item_of(event), event.get("item"), event.get("update")
    if event.get("type") == "thread.item.added" and is_object(item):
        if item.get("type") == "assistant_message":
            for index, part in enumerate(_listed(item.get("content"))):
                yield from _part(item_id, index, part)
        workflow = item.get("workflow")
        if is_object(workflow):
            for index, task in enumerate(_listed(workflow.get("tasks"))):
                yield from _thought(item_id, index, task)
        yield from _components(item_id, item.get("widget"))
    elif event.get("type") == "thread.item.updated" and is_object(update):
        if isinstance(update.get("delta"), str):
            place = _place(item_id, update)
            yield Grows(place, update, "delta", False, False, event, update, "delta")  # noqa: FBT003 - by name above
        if update.get("type") == "assistant_message.content_part.added":
            yield from _part(item_id, update.get("content_index"), update.get("content"))
        yield from _thought(item_id, update.get("task_index"), update.get("task"))
        yield from _components(item_id, update.get("widget"))
        yield from _components(item_id, update.get("component"))


def ended_by(event: dict[str, Any], growing: Collection[Place]) -> list[Place]:
    """Return the texts that an event puts an end to, of those that grow."""
    kind, item_id, update = event.get("type"), item_of(event), event.get("update")
    if kind == "error":
        return list(growing)
    of_item = [place for place in growing if place[0] == item_id]
    if kind in _ENDS:
        return of_item
    if not is_object(update):
        return []
    match update.get("type"):
        case "assistant_message.content_part.done":
            this = _place(item_id, {"type": _TEXT_DELTA, "content_index": update.get("content_index")})
            return [this] if this in of_item else []
        case "widget.root.updated":
            return of_item
        case "workflow.task.added" | "workflow.task.updated":
            this = _task_place(item_id, update.get("task_index"))
            return [place for place in of_item if place != this]
        case _:
            return []


def item_of(event: dict[str, Any]) -> str:
    """Return the id of the item that an event is about; empty if there is none."""
    item = event.get("item")
    found = item.get("id") if is_object(item) else event.get("item_id")
    return found if isinstance(found, str) else ""


def thread_of(event: dict[str, Any]) -> str | None:
    """Return the id of the thread that an event names."""
    for name, key in (("thread", "id"), ("item", "thread_id")):
        named = event.get(name)
        found = named.get(key) if is_object(named) else None
        if isinstance(found, str):
            return found
    return None


def _part(item_id: str, index: Any, part: Any) -> Iterator[Grows]:
    if is_object(part) and isinstance(part.get("text"), str):
        yield _by_deltas(item_id, {"type": _TEXT_DELTA, "content_index": index, "delta": ""}, part, "text")


def _components(item_id: str, component: Any) -> Iterator[Grows]:
    """Yield the texts of a widget that have an id: ChatKit's `diff_widget` may add to any of them."""
    stack = [component]
    while stack:
        component = stack.pop()
        if is_array(component):
            stack += component
        elif is_object(component):
            stack.append(component.get("children"))
            name, is_done = component.get("id"), not component.get("streaming")
            if component.get("type") in _WIDGET_TEXTS and name and isinstance(component.get("value"), str):
                update = {"type": _VALUE_DELTA, "component_id": name, "delta": "", "done": is_done}
                yield _by_deltas(item_id, update, component, "value")


def _by_deltas(item_id: str, update: dict[str, Any], holder: dict[str, Any], key: str) -> Grows:
    place = _place(item_id, update)
    return Grows(place, holder, key, True, False, _updated(item_id, update), update, "delta")  # noqa: FBT003 - by name above


def _thought(item_id: str, index: Any, task: Any) -> Iterator[Grows]:
    if is_object(task) and task.get("type") == "thought" and isinstance(task.get("content"), str):
        place = _task_place(item_id, index)
        event = _updated(item_id, {"type": "workflow.task.updated", "task_index": index, "task": task})
        yield Grows(place, task, "content", False, True, event, task, "content")  # noqa: FBT003 - by name above


def _updated(item_id: str, update: dict[str, Any]) -> dict[str, Any]:
    return {"type": "thread.item.updated", "item_id": item_id, "update": update}


def _place(item_id: str, update: dict[str, Any]) -> Place:
    """Return which text a delta belongs to: its type says so, and the ids and indexes beside it, of any name."""
    beside = {name: update[name] for name in update if name == "type" or name.endswith(_NAMES)}
    return item_id, json.dumps(beside, sort_keys=True)


def _task_place(item_id: str, index: Any) -> Place:
    return item_id, f"task {json.dumps(index)}"


def _listed(value: Any) -> list[Any]:
    return value if is_array(value) else []
