"""Whoever writes to the database changes nothing that is read: a row is as it was, or is not read at all.

A field of a stored row is swapped with that of another row, truncated, changed, removed, or replayed under another
owner, thread or id. What cannot be noticed is the last test.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, cast

import anyio
import pytest
from chatkit.store import NotFoundError
from chatkit.types import ThreadMetadata
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from chatkit_prod.access import OWNER_KEY, Owner, stamped
from chatkit_prod.encryption import EncryptedStore, LocalKeyring, UnsealError
from chatkit_prod.encryption.carrier import SEALED, open_item, seal_item
from chatkit_prod.encryption.keys import Row, RowKeys
from chatkit_prod.testing import MemoryStore
from tests.encryption.rows import ATTACHMENT, ITEM, file, image, items, thread

pytestmark = pytest.mark.anyio

KEYRING = LocalKeyring.generate()
_THREAD = TypeAdapter(ThreadMetadata)
Json = dict[str, Any]
Path = tuple[Any, ...]


class Place(NamedTuple):
    """Where a row is stored."""

    kind: str
    row_id: str
    thread_id: str = ""


class World(NamedTuple):
    """Rows of two users as JSON, as databases keep them, and what they are when they are opened."""

    stored: dict[Place, Json]
    opened: dict[Place, Any]


async def _world() -> World:
    inner = MemoryStore()
    store = EncryptedStore(inner, keyring=KEYRING)
    opened: dict[Place, Any] = {}
    for number, user in enumerate(("alice", "bob")):
        thread_id, owner = f"thr_{number}", Owner(issuer="desk", subject=user)
        opened[Place("thread", thread_id)] = stamped(thread(thread_id, user), owner)
        await store.save_thread(opened[Place("thread", thread_id)], None)
        for each in items(thread_id, user):
            opened[Place("item", each.id, thread_id)] = each
            await store.add_thread_item(thread_id, each, None)
        for attachment in (file(f"atc_{user}", user), image(f"img_{user}", user, thread_id=thread_id)):
            opened[Place("attachment", attachment.id)] = stamped(attachment, owner)
            await store.save_attachment(opened[Place("attachment", attachment.id)], None)
    return World({place: _stored(inner, place).model_dump(mode="json") for place in opened}, opened)


def _stored(inner: MemoryStore, place: Place) -> Any:
    if place.kind == "item":
        return inner._items[place.thread_id][place.row_id]
    return (inner._threads if place.kind == "thread" else inner._attachments)[place.row_id]


WORLD = anyio.run(_world)
PLACES = list(WORLD.stored)


def _fields(value: Any) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _paths(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    for key, inner in _fields(value).items():
        yield from _paths(inner, (*path, key))


def _get(row: Any, path: Path) -> Any:
    for key in path:
        row = _fields(row).get(key)
    return row


def _set(row: Json, path: Path, value: Any) -> None:
    _fields(_get(row, path[:-1]))[path[-1]] = value


def _remove(row: Json, path: Path) -> None:
    _fields(_get(row, path[:-1])).pop(path[-1], None)


def _truncated(value: Any, draw: Any) -> Any:
    return value[: draw(st.integers(0, max(0, len(value) - 1)))] if isinstance(value, str) else None


def _changed(value: Any, draw: Any) -> Any:
    if not isinstance(value, str) or not value:
        others: list[Any] = [None, "", {}, [], 0, "x"]
        return draw(st.sampled_from(others))
    place = draw(st.integers(0, len(value) - 1))
    return value[:place] + draw(st.sampled_from("Aa0/+=-:Z")) + value[place + 1 :]


def _store(inner: MemoryStore, place: Place, row: Json) -> None:
    if place.kind == "thread":
        inner._threads[place.row_id] = _THREAD.validate_python(row)
    elif place.kind == "item":
        inner._items.setdefault(place.thread_id, {})[place.row_id] = ITEM.validate_python(row)
    else:
        inner._attachments[place.row_id] = ATTACHMENT.validate_python(row)


async def _load(store: EncryptedStore[Any], place: Place) -> Any:
    if place.kind == "thread":
        return await store.load_thread(place.row_id, None)
    if place.kind == "item":
        return await store.load_item(place.thread_id, place.row_id, None)
    return await store.load_attachment(place.row_id, None)


async def _differing(stored: dict[Place, Json]) -> list[Place]:
    """Read every row in every way; return those that are read and are not what they were."""
    inner = MemoryStore()
    for place, row in stored.items():
        with suppress(ValidationError):  # the app's own store raises it
            _store(inner, place, row)
    store = EncryptedStore(inner, keyring=KEYRING)
    read: list[tuple[Place, Any]] = []
    for place in PLACES:
        with suppress(UnsealError, NotFoundError):
            read.append((place, await _load(store, place)))
    threads = await store.load_threads(99, None, "asc", None)
    read += [(Place("thread", row.id), row) for row in threads.data]
    for thread_id in ("thr_0", "thr_1"):
        with suppress(UnsealError, NotFoundError):
            page = await store.load_thread_items(thread_id, None, 99, "asc", None)
            read += [(Place("item", row.id, thread_id), row) for row in page.data]
    return [place for place, row in read if row != WORLD.opened.get(place)]


async def test_rows_that_nobody_touched_are_read() -> None:
    assert await _differing(WORLD.stored) == []
    inner = MemoryStore()
    for place, row in WORLD.stored.items():
        _store(inner, place, row)
    store = EncryptedStore(inner, keyring=KEYRING)
    for place, row in WORLD.opened.items():
        assert await _load(store, place) == row


def _tamper(stored: dict[Place, Json], draw: Any) -> None:
    one, other = draw(st.sampled_from(PLACES)), draw(st.sampled_from(PLACES))
    path = draw(st.sampled_from(list(_paths(stored[one]))))
    value, theirs = _get(stored[one], path), _get(WORLD.stored[other], path)
    match draw(st.sampled_from(["swap", "replay", "truncate", "change", "remove", "move"])):
        case "swap":
            _set(stored[one], path, theirs)
            _set(stored[other], path, value)
        case "replay":
            _set(stored[one], path, theirs)
        case "truncate":
            _set(stored[one], path, _truncated(value, draw))
        case "change":
            _set(stored[one], path, _changed(value, draw))
        case "remove":
            _remove(stored[one], path)
        case _:
            stored[one] = copy.deepcopy(WORLD.stored[other])


@settings(max_examples=150)
@given(st.data())
def test_no_field_that_is_swapped_truncated_changed_removed_or_replayed_is_read(data: st.DataObject) -> None:
    stored = copy.deepcopy(WORLD.stored)
    for _ in range(data.draw(st.integers(1, 3))):
        _tamper(stored, data.draw)
    assert anyio.run(_differing, stored) == []


OF_BOB = {OWNER_KEY: str(Owner(issuer="desk", subject="bob"))}


@pytest.mark.parametrize("place", [Place("thread", "thr_0"), Place("attachment", "atc_alice")], ids=str)
async def test_a_row_under_another_owner_is_not_opened(place: Place) -> None:
    row = copy.deepcopy(WORLD.stored[place])
    row["metadata"] |= OF_BOB
    inner = MemoryStore()
    _store(inner, place, row)
    with pytest.raises(UnsealError):
        await _load(EncryptedStore(inner, keyring=KEYRING), place)


async def test_a_clear_field_is_bound_also_where_it_is_not_read() -> None:
    row = copy.deepcopy(WORLD.stored[Place("attachment", "atc_alice")])
    row["mime_type"] = "text/html"
    inner = MemoryStore()
    _store(inner, Place("attachment", "atc_alice"), row)
    with pytest.raises(UnsealError):
        await EncryptedStore(inner, keyring=KEYRING).load_attachment("atc_alice", None)


async def test_an_item_is_bound_to_its_thread_also_under_one_key() -> None:
    key = await RowKeys(KEYRING, size=1, seconds=1).make(Row("thread", "thr_0"))
    carrier = seal_item(items("thr_0")[0], "thr_0", key)
    with pytest.raises(UnsealError):
        open_item(carrier, "thr_1", "itm_0", key)
    with pytest.raises(UnsealError, match="another id"):
        open_item(carrier.model_copy(update={"thread_id": "thr_1"}), "thr_0", "itm_0", key)


async def test_the_items_of_a_thread_under_another_owner_are_not_opened() -> None:
    stored = copy.deepcopy(WORLD.stored)
    stored[Place("thread", "thr_0")]["metadata"] |= OF_BOB
    inner = MemoryStore()
    await inner.save_thread(_THREAD.validate_python(stored[Place("thread", "thr_0")]), None)
    row = ITEM.validate_python(stored[Place("item", "itm_0", "thr_0")])
    await inner.add_thread_item("thr_0", row, None)
    store = EncryptedStore(inner, keyring=KEYRING)
    with pytest.raises(UnsealError):
        await store.load_thread_items("thr_0", None, 9, "asc", None)


async def test_an_older_version_of_a_row_put_back_whole_in_its_place_is_not_noticed() -> None:
    """The limit: nothing outside of the database knows which version is the latest."""
    inner = MemoryStore()
    store = EncryptedStore(inner, keyring=KEYRING)
    await store.save_thread(thread(title="old"), None)
    old = inner._threads["thr_1"].model_dump_json()
    await store.save_thread(thread(title="new"), None)
    inner._threads["thr_1"] = _THREAD.validate_json(old)
    assert (await store.load_thread("thr_1", None)).title == "old"
    assert json.loads(old)["metadata"][SEALED]
