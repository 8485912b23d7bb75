"""An attachment store that asks whose an attachment is before its bytes are touched.

ChatKit deletes the bytes of an attachment before it asks the store about the attachment.
"""

from typing import Any, TypeVar

from chatkit.store import AttachmentStore
from chatkit.types import Attachment, AttachmentCreateParams

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.gate import Gate
from chatkit_prod.options import named
from chatkit_prod.store import DelegatingAttachmentStore

from .store import OwnershipStore

TContext = TypeVar("TContext")


class OwnershipAttachmentStore(DelegatingAttachmentStore[TContext]):
    """Asks before an attachment is registered, and before its bytes are deleted.

    Args:
        inner: The attachment store that does the work.
        store: The guarded store that has the metadata of the attachments.

    Raises:
        ConfigurationError: The inner store is none, or guarded already; `store` is not guarded.
    """

    def __init__(self, inner: AttachmentStore[TContext], *, store: OwnershipStore[TContext]) -> None:
        super().__init__(inner)
        if not isinstance(inner, AttachmentStore):
            raise ConfigurationError(f"inner must be an AttachmentStore, not {named(inner)}")
        if isinstance(inner, OwnershipAttachmentStore):
            raise ConfigurationError("inner is guarded already")
        if not isinstance(store, OwnershipStore):
            raise ConfigurationError(f"store must be an OwnershipStore, not {named(store)}")
        self._store = store

    @property
    def gate(self) -> Gate | None:
        """The gate of the guarded store."""
        return self._store.gate

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:  # noqa: A002 - the name is of ChatKit
        """Register an attachment that is to be uploaded.

        Raises:
            ForbiddenError: The caller may not; recorded.
        """
        await self._store.guard.admit("attachments:create", context)
        attachment = await self.inner.create_attachment(input, context)
        self._store.let_claim_attachment(attachment)
        return attachment

    async def delete_attachment(self, attachment_id: str, context: TContext) -> None:
        """Delete an attachment's bytes.

        Raises:
            NotFoundError: It is absent, or the caller may not; recorded.
        """
        await self._store.require_attachment(attachment_id, "attachments:delete", context)
        await self.inner.delete_attachment(attachment_id, context)


def is_guarded(store: AttachmentStore[Any]) -> bool:
    """Tell whether an attachment store is an `OwnershipAttachmentStore`, or its wrappers hold one."""
    while not isinstance(store, OwnershipAttachmentStore):
        if not isinstance(store, DelegatingAttachmentStore):
            return False
        store = store.inner
    return True
