"""What a row looks like sealed, and back.

    thread      id, created_at, type of status, reserved metadata │ everything else, in `chatkit_prod.sealed`
    item        id, thread_id, created_at, as a hidden item       │ the whole item, in its content
    attachment  id, type, mime_type, thread_id, reserved metadata │ everything else, in `chatkit_prod.sealed`

What stays clear is bound to what is sealed. A hidden item is never sent to a client, should the wrapper be missing.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json import JSONEncoder
from typing import Any, Final, TypeVar, cast

from chatkit.types import (
    Attachment,
    FileAttachment,
    HiddenContextItem,
    ImageAttachment,
    ThreadItem,
    ThreadMetadata,
)
from pydantic import AnyUrl, TypeAdapter, ValidationError

from .envelope import associated_data, open_json, part_of, seal_json
from .errors import UnsealError
from .keyring import WrappedKey
from .keys import RowKey

T = TypeVar("T")

RESERVED: Final = "chatkit_prod."
"""How keys of metadata begin that are this package's own, and stay clear: a database indexes the owner's stamp."""

SEALED: Final = "chatkit_prod.sealed"
KEY: Final = "chatkit_prod.key"

_OURS: Final = frozenset({SEALED, KEY})
_NAME: Final = "sealed"
_NO_URL: Final = AnyUrl("https://sealed.invalid/")  # RFC 6761 §6.4: no such name is ever resolved
_NOTHING: Final[Mapping[str, Any]] = {}
_PRECISION: Final = timedelta(seconds=1)

_canonical = JSONEncoder(sort_keys=True, separators=(",", ":")).encode

_THREAD = TypeAdapter(ThreadMetadata)
_ITEM: TypeAdapter[ThreadItem] = TypeAdapter(ThreadItem)
_ATTACHMENT: TypeAdapter[Attachment] = TypeAdapter(Attachment)


def is_sealed(row: ThreadMetadata | Attachment | ThreadItem) -> bool:
    """Tell whether a row is a carrier, be it one that can be opened or not."""
    return not _OURS.isdisjoint(_sealed_in(row))


def has_no_key(item: ThreadItem) -> bool:
    """Tell whether an item is a carrier, and sealed under the key of its thread."""
    fields = _sealed_in(item)
    return SEALED in fields and KEY not in fields


def key_of(row: ThreadMetadata | Attachment) -> WrappedKey:
    """Return the data key of a thread or an attachment.

    Raises:
        UnsealError: There is none.
    """
    return WrappedKey.read(_sealed_in(row).get(KEY))


def key_carried_by(item: ThreadItem) -> WrappedKey | None:
    """Return the data key that an item carries; None if it is sealed under that of its thread.

    Raises:
        UnsealError: What it carries is none.
    """
    fields = _sealed_in(item)
    return WrappedKey.read(fields[KEY]) if KEY in fields else None


def seal_thread(thread: ThreadMetadata, key: RowKey) -> ThreadMetadata:
    """Return the carrier of a thread."""
    clear = _reserved(thread.metadata, key)
    carrier = ThreadMetadata(
        id=thread.id, created_at=thread.created_at, status=type(thread.status)(), metadata=clear
    )
    own = {name: value for name, value in thread.metadata.items() if not name.startswith(RESERVED)}
    plain = _THREAD.dump_json(thread.model_copy(update={"metadata": own}))
    carrier.metadata[SEALED] = seal_json(key.cipher, plain, _of_thread(carrier, thread.id))
    return carrier


def open_thread(carrier: ThreadMetadata, thread_id: str, key: RowKey) -> ThreadMetadata:
    """Return the thread of a carrier.

    Args:
        carrier: As the store had it; untrusted.
        thread_id: The thread that was asked for.
        key: Its data key.

    Raises:
        UnsealError: It was changed, or is another thread's.
    """
    plain = open_json(key.cipher, carrier.metadata.get(SEALED), _of_thread(carrier, thread_id))
    thread = _read(_THREAD, plain)
    _require_time(carrier, thread)
    thread.metadata |= _without_ours(carrier.metadata)
    return thread


def seal_item(item: ThreadItem, thread_id: str, key: RowKey) -> ThreadItem:
    """Return the carrier of an item, sealed under the key of its thread."""
    content: dict[str, Any] = {KEY: key.wrapped.stored()} if key.is_carried else {}
    associated = _of_item(thread_id, item.id, content)
    content[SEALED] = seal_json(key.cipher, _ITEM.dump_json(item), associated)
    return HiddenContextItem(
        id=item.id, thread_id=item.thread_id, created_at=item.created_at, content=content
    )


def open_item(carrier: ThreadItem, thread_id: str, item_id: str, key: RowKey) -> ThreadItem:
    """Return the item of a carrier.

    Args:
        carrier: As the store had it; untrusted.
        thread_id: The thread that was asked for.
        item_id: The item that was asked for.
        key: The data key of the thread, or the one that the carrier carries.

    Raises:
        UnsealError: It was changed, or is another item's, or another thread's.
    """
    content = _sealed_in(carrier)
    item = _read(_ITEM, open_json(key.cipher, content.get(SEALED), _of_item(thread_id, item_id, content)))
    if carrier.id != item.id or carrier.thread_id != item.thread_id:
        raise UnsealError("under another id")
    _require_time(carrier, item)
    return item


def seal_attachment(attachment: Attachment, key: RowKey) -> Attachment:
    """Return the carrier of an attachment."""
    metadata = attachment.metadata or {}
    clear = _reserved(metadata, key)
    fields: dict[str, Any] = {
        "id": attachment.id,
        "name": _NAME,
        "mime_type": attachment.mime_type,
        "thread_id": attachment.thread_id,
        "metadata": clear,
    }
    is_image = isinstance(attachment, ImageAttachment)
    carrier = ImageAttachment(**fields, preview_url=_NO_URL) if is_image else FileAttachment(**fields)
    own = {name: value for name, value in metadata.items() if not name.startswith(RESERVED)}
    is_kept = own or attachment.metadata == {}
    plain = _ATTACHMENT.dump_json(attachment.model_copy(update={"metadata": own if is_kept else None}))
    sealed = seal_json(key.cipher, plain, _of_attachment(carrier, attachment.id))
    carrier.metadata = {**clear, SEALED: sealed}
    return carrier


def open_attachment(carrier: Attachment, attachment_id: str, key: RowKey) -> Attachment:
    """Return the attachment of a carrier.

    Args:
        carrier: As the store had it; untrusted.
        attachment_id: The attachment that was asked for.
        key: Its data key.

    Raises:
        UnsealError: It was changed, or is another attachment.
    """
    metadata = carrier.metadata or {}
    plain = open_json(key.cipher, metadata.get(SEALED), _of_attachment(carrier, attachment_id))
    attachment = _read(_ATTACHMENT, plain)
    reserved = _without_ours(metadata)
    if reserved:
        attachment.metadata = {**(attachment.metadata or {}), **reserved}
    return attachment


def _sealed_in(row: ThreadMetadata | Attachment | ThreadItem) -> Mapping[str, Any]:
    found: Any = row.content if isinstance(row, HiddenContextItem) else getattr(row, "metadata", None)
    return cast("Mapping[str, Any]", found) if type(found) is dict else _NOTHING


def _reserved(metadata: Mapping[str, Any], key: RowKey) -> dict[str, Any]:
    clear = {name: value for name, value in metadata.items() if name.startswith(RESERVED)}
    clear.pop(SEALED, None)
    return clear | {KEY: key.wrapped.stored()}


def _without_ours(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the reserved keys of others; what else stands clear beside them is nobody's."""
    return {
        name: value for name, value in metadata.items() if name.startswith(RESERVED) and name not in _OURS
    }


def _of_thread(carrier: ThreadMetadata, thread_id: str) -> bytes:
    clear = (carrier.id, carrier.status.type, _bound(carrier.metadata))
    return associated_data("thread", thread_id, *clear)


def _of_item(thread_id: str, item_id: str, content: Mapping[str, Any]) -> bytes:
    of_item = _of_items(thread_id) + part_of(item_id)
    return of_item + part_of(_canonical(content[KEY])) if KEY in content else of_item


@lru_cache(maxsize=256)  # a page has a hundred items of one thread
def _of_items(thread_id: str) -> bytes:
    return associated_data("item", thread_id)


def _of_attachment(carrier: Attachment, attachment_id: str) -> bytes:
    clear = (carrier.type, carrier.mime_type, _canonical(carrier.thread_id), _bound(carrier.metadata or {}))
    return associated_data("attachment", attachment_id, carrier.id, *clear)


def _bound(metadata: Mapping[str, Any]) -> str:
    """Return the reserved keys that are clear."""
    return _canonical(
        {name: metadata[name] for name in metadata if name.startswith(RESERVED) and name != SEALED}
    )


def _read(adapter: TypeAdapter[T], plain: bytes) -> T:
    try:
        row: T = adapter.validator.validate_json(plain)
    except ValidationError:  # its text quotes what it has read
        raise UnsealError("of a type that this release of ChatKit does not know") from None
    return row


def _require_time(carrier: ThreadMetadata | ThreadItem, row: ThreadMetadata | ThreadItem) -> None:
    """Check the clear time of creation; a database may keep it less precisely, or in another zone."""
    kept, sealed = carrier.created_at, row.created_at
    if kept.time() == sealed.time() and kept.date() == sealed.date() and kept.tzinfo == sealed.tzinfo:
        return  # as any other comparison, which takes three times as long
    if abs(_utc(kept) - _utc(sealed)) >= _PRECISION:
        raise UnsealError("under another time of creation")


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time
