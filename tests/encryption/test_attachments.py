"""The store of the bytes never hears the name of a file."""

from typing import Any

import pytest
from chatkit.store import AttachmentStore
from chatkit.types import Attachment, AttachmentCreateParams, FileAttachment

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OwnershipAttachmentStore, OwnershipStore
from chatkit_prod.encryption import EncryptedAttachmentStore, EncryptedStore, LocalKeyring
from chatkit_prod.state import RequestState
from chatkit_prod.testing import MemoryStore
from tests.encryption.rows import MARK
from tests.servers import http_scope

pytestmark = pytest.mark.anyio


class Files(AttachmentStore[Any]):
    """Saves what it registers in the app's own store, as the one in ChatKit's guide."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self.asked: list[str] = []

    async def create_attachment(self, input: AttachmentCreateParams, context: Any) -> Attachment:  # noqa: A002
        self.asked.append(input.name)
        made = FileAttachment(id="atc_1", name=input.name, mime_type=input.mime_type)
        await self._store.save_attachment(made, context)
        return made

    async def delete_attachment(self, attachment_id: str, context: Any) -> None:
        self.asked.append(attachment_id)


PARAMS = AttachmentCreateParams(name=f"{MARK}.txt", size=1, mime_type="text/plain")


async def test_the_name_comes_back_and_goes_nowhere() -> None:
    inner = MemoryStore()
    store, files = EncryptedStore(inner, keyring=LocalKeyring.generate()), Files(inner)
    encrypted = EncryptedAttachmentStore(files, store=store)
    made = await encrypted.create_attachment(PARAMS, None)
    assert made.name == PARAMS.name
    assert files.asked == ["attachment"]
    assert MARK not in inner._attachments["atc_1"].model_dump_json()
    assert await store.load_attachment("atc_1", None) == made
    await encrypted.delete_attachment("atc_1", None)
    assert files.asked[1:] == ["atc_1"]


async def test_behind_a_guard_it_is_the_callers() -> None:
    inner, alice = MemoryStore(), RequestContext(principal=Principal(issuer="desk", subject="alice"))
    store = EncryptedStore(inner, keyring=LocalKeyring.generate())
    guarded = OwnershipStore(store)
    files = OwnershipAttachmentStore(EncryptedAttachmentStore(Files(inner), store=store), store=guarded)
    _, state = RequestState.seed(http_scope())
    with state.as_current():
        made = await files.create_attachment(PARAMS, alice)
        await guarded.save_attachment(made, alice)
    assert await guarded.load_attachment("atc_1", alice) == made


def test_wrong_stores_are_refused_at_construction() -> None:
    make: Any = EncryptedAttachmentStore
    store = EncryptedStore(MemoryStore(), keyring=LocalKeyring.generate())
    with pytest.raises(ConfigurationError, match="AttachmentStore"):
        make(None, store=store)
    with pytest.raises(ConfigurationError, match="EncryptedStore"):
        make(Files(MemoryStore()), store=MemoryStore())
