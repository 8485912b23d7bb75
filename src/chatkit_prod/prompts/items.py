"""What the items of a model's input are: who speaks in them, and every text that they hold."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

from pydantic import BaseModel

from .system import Prompt

_SPEAKERS: Final = frozenset(("user", "assistant"))
_INSTRUCTORS: Final = frozenset(("system", "developer"))


def is_permitted(item: object) -> bool:
    """Tell whether an item speaks for a user, an assistant or a tool, or is instructions of a `SystemPrompt`.

    Everything else is not: another role, also one that only looks like these, such as `System`; a message
    without a role; what is no item.

    Args:
        item: A dictionary or a pydantic model; or whatever somebody has put into the input.
    """
    fields = _fields(item)
    role, kind = fields.get("role"), fields.get("type")
    if role is None:
        return isinstance(kind, str) and kind.strip().lower() not in ("", "message")
    if not isinstance(role, str):
        return False
    return role in _SPEAKERS or (role in _INSTRUCTORS and prompts_of(item) is not None)


def is_of_assistant(item: object) -> bool:
    """Tell whether an item is what a model has said."""
    return _fields(item).get("role") == "assistant"


def prompts_of(item: object) -> list[Prompt] | None:
    """Return the rendered prompts that are the content of an item; None if that is empty, or holds anything else."""
    content = _fields(item).get("content")
    parts = cast("list[object]", content) if isinstance(content, list) else [content]
    texts = [part if isinstance(part, str) else _fields(part).get("text") for part in parts]
    prompts = [text for text in texts if isinstance(text, Prompt)]
    return prompts if prompts and len(prompts) == len(parts) else None


def texts_in(value: object) -> Iterator[str]:
    """Yield every text in a value, keys of objects included, but for what a `SystemPrompt` has rendered.

    Args:
        value: JSON, pydantic models, or both in each other; as deep as it likes.
    """
    queue = [value]
    while queue:
        found = queue.pop()
        if isinstance(found, str):
            if not isinstance(found, Prompt):
                yield found
        elif isinstance(found, Mapping | BaseModel):
            fields = _fields(cast("object", found))
            queue += [*fields, *fields.values()]
        elif isinstance(found, Iterable) and not isinstance(found, bytes | bytearray):
            queue += cast("Iterable[object]", found)


def _fields(item: object) -> Mapping[Any, Any]:
    """Return the members of an item; none of what is no item."""
    if isinstance(item, BaseModel):
        return {**vars(item), **(item.model_extra or {})}
    return item if isinstance(item, Mapping) else {}  # pyright: ignore[reportUnknownVariableType]
