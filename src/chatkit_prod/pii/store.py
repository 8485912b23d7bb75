"""A store that keeps no personal data where none is needed.

guarded store → ScrubbingStore → the app's own
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import NoneType
from typing import Any, Final, Literal, TypeVar, cast, get_args, get_origin

import anyio.to_thread
from chatkit.store import Store
from chatkit.types import (
    Attachment,
    ClientToolCallItem,
    HiddenContextItem,
    SDKHiddenContextItem,
    ThreadItem,
    ThreadMetadata,
    UserMessageItem,
)
from pydantic import BaseModel

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import boolean, named
from chatkit_prod.store import DelegatingStore

from .cleaning import AnyScrubber
from .keys import Keys
from .leaves import UNBOUNDED, Leaves
from .walk import KEPT, declared

TContext = TypeVar("TContext")
TModel = TypeVar("TModel", bound=BaseModel)
T = TypeVar("T")

STORED_KEYS: Final = Keys(deny=())
"""Ids stay; nothing is denied, for an app may need what it keeps under a name such as `page_token`."""

_RESERVED: Final = "chatkit_prod."
"""How keys of metadata begin that are this package's own: a guard would not know its scrubbed stamp again."""

_KEPT_NAMES: Final = frozenset(name.partition(".")[2] for name in KEPT)
"""Of members that no class has declared, as in a widget that a template has made, there is only the name."""


class ScrubbingStore(DelegatingStore[TContext]):
    """A store that scrubs what is written to it, and leaves what is read as it is.

    Scrubbed are the metadata of threads and attachments, the arguments and outputs of client tools, and hidden
    context; messages and titles if that is wanted: the model then reads them scrubbed as well. Ids are never
    changed, nor the objects that the app holds: what goes in is a copy, where something was found.

    Pseudonyms are those of the thread. If the scrubber raises, so does the call, and nothing is stored. A slow
    one is called in a thread.

    Args:
        inner: The store that does the work. Put this one inside of an `OwnershipStore`, or outside: the owner's
            stamp stays.
        scrubber: Finds what is personal.
        messages: Whether the texts of users, of the assistant and of widgets and workflows, and the names of
            attachments, are scrubbed as well.
        titles: Whether the titles of threads are, and the reasons why they are locked or closed.
        keys: What the names of values tell in metadata, tool results and hidden context.

    Raises:
        ConfigurationError: An argument is something else.
    """

    def __init__(
        self,
        inner: Store[TContext],
        *,
        scrubber: AnyScrubber,
        messages: bool = False,
        titles: bool = False,
        keys: Keys = STORED_KEYS,
    ) -> None:
        super().__init__(inner)
        if not isinstance(scrubber, AnyScrubber):
            raise ConfigurationError(f"scrubber must be a Scrubber, not {named(scrubber)}")
        if not isinstance(keys, Keys):
            raise ConfigurationError(f"keys must be Keys, not {named(keys)}")
        self._scrubber = scrubber
        self._messages = boolean(messages, "messages")
        self._titles = boolean(titles, "titles")
        self._keys = keys

    async def save_thread(self, thread: ThreadMetadata, context: TContext) -> None:
        """Insert or replace a thread's metadata, scrubbed."""
        await self.inner.save_thread(await self._scrubbed(self._thread, thread, thread.id), context)

    async def save_attachment(self, attachment: Attachment, context: TContext) -> None:
        """Insert or replace an attachment's metadata, scrubbed."""
        clean = await self._scrubbed(self._attachment, attachment, attachment.thread_id or "")
        await self.inner.save_attachment(clean, context)

    async def add_thread_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Append an item to a thread, scrubbed."""
        clean = await self._scrubbed(self._item, item, thread_id)
        await self.inner.add_thread_item(thread_id, clean, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: TContext) -> None:
        """Insert or replace an item, scrubbed."""
        await self.inner.save_item(thread_id, await self._scrubbed(self._item, item, thread_id), context)

    async def _scrubbed(self, clean: Callable[[T, Leaves], T], row: T, scope: str) -> T:
        leaves = Leaves(
            lambda text: self._scrubber.scrub(text, scope=scope).text, keys=self._keys, bounds=UNBOUNDED
        )
        if self._scrubber.is_slow:
            return await anyio.to_thread.run_sync(clean, row, leaves)
        return clean(row, leaves)

    def _thread(self, thread: ThreadMetadata, leaves: Leaves) -> ThreadMetadata:
        changed = {"metadata": _metadata(thread.metadata, leaves)}
        if self._titles:
            changed |= {"title": leaves.value(thread.title), "status": _value(thread.status, leaves)}
        return _changed(thread, changed)

    def _attachment(self, attachment: Attachment, leaves: Leaves) -> Attachment:
        changed: dict[str, Any] = {"metadata": attachment.metadata and _metadata(attachment.metadata, leaves)}
        if self._messages:
            changed["name"] = leaves.text(attachment.name)
        return _changed(attachment, changed)

    def _item(self, item: ThreadItem, leaves: Leaves) -> ThreadItem:
        names: tuple[str, ...]
        match item:
            case ClientToolCallItem():
                names = ("arguments", "output")
            case HiddenContextItem() | SDKHiddenContextItem():
                names = ("content",)
            case UserMessageItem():
                attachments = [self._attachment(held, leaves) for held in item.attachments]
                item = _changed(item, {"attachments": _same(item.attachments, attachments)})
                names = ("content", "quoted_text") if self._messages else ()
            case _:
                return _model(item, leaves) if self._messages else item
        return _changed(item, {name: _value(getattr(item, name), leaves) for name in names})


def _metadata(metadata: dict[str, Any], leaves: Leaves) -> dict[str, Any]:
    reserved = {key: value for key, value in metadata.items() if key.startswith(_RESERVED)}
    own = {key: value for key, value in metadata.items() if key not in reserved}
    clean = leaves.value(own)
    return metadata if clean is own else {**clean, **reserved}


def _value(value: Any, leaves: Leaves) -> Any:
    if isinstance(value, BaseModel):
        return _model(value, leaves)
    if isinstance(value, list):
        items = cast("Any", value)
        return _same(items, [_value(item, leaves) for item in items])
    return leaves.value(value) if isinstance(value, str | Mapping) else value


def _model(model: TModel, leaves: Leaves) -> TModel:
    return _changed(model, {name: _value(value, leaves) for name, value in _texts(model)})


def _texts(model: BaseModel) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a model that may hold text; also those that its class does not know."""
    kept = _kept(type(model))
    yield from ((name, value) for name, value in vars(model).items() if name not in kept)
    extra = model.model_extra or {}
    yield from ((name, value) for name, value in extra.items() if name not in _KEPT_NAMES)


@cache
def _kept(kind: type[BaseModel]) -> frozenset[str]:
    """Return the fields of a class whose strings are no text."""
    fields = kind.model_fields.items()
    return frozenset(
        name for name, field in fields if declared(kind, name) in KEPT or _is_fixed(field.annotation)
    )


def _is_fixed(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return True
    kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
    return bool(kinds) and all(map(_is_fixed, kinds))


def _changed(model: TModel, fields: Mapping[str, Any]) -> TModel:
    """Return a copy with other values; the model itself if none of them differs."""
    held = {**vars(model), **(model.model_extra or {})}
    changed = {name: value for name, value in fields.items() if value is not held[name]}
    return model.model_copy(update=changed) if changed else model


def _same(old: list[T], new: list[T]) -> list[T]:
    """Return the old one of two lists, if they hold the same."""
    return old if all(one is other for one, other in zip(old, new, strict=True)) else new
