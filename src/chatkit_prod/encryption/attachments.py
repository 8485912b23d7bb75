"""An attachment store that never hears the name that a user has given to a file.

ChatKit's client sends the bytes to the URL that this store returns, past every wrapper: who keeps them seals them.
"""

from typing import TypeVar

from chatkit.store import AttachmentStore
from chatkit.types import Attachment, AttachmentCreateParams

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named
from chatkit_prod.store import DelegatingAttachmentStore

from .store import EncryptedStore

TContext = TypeVar("TContext")

NAME = "attachment"


class EncryptedAttachmentStore(DelegatingAttachmentStore[TContext]):
    """Registers attachments without their names, and saves them sealed.

    An attachment store may save what it registers itself, as the one in ChatKit's guide does. Then it saves a name
    that says nothing, and its row is replaced by the sealed one.

    Args:
        inner: The attachment store that does the work.
        store: The encrypted store that has the metadata of the attachments.

    Raises:
        ConfigurationError: One of them is something else.
    """

    def __init__(self, inner: AttachmentStore[TContext], *, store: EncryptedStore[TContext]) -> None:
        super().__init__(inner)
        if not isinstance(inner, AttachmentStore):
            raise ConfigurationError(f"inner must be an AttachmentStore, not {named(inner)}")
        if not isinstance(store, EncryptedStore):
            raise ConfigurationError(f"store must be an EncryptedStore, not {named(store)}")
        self._store = store

    async def create_attachment(self, input: AttachmentCreateParams, context: TContext) -> Attachment:  # noqa: A002 - the name is of ChatKit
        """Register an attachment that is to be uploaded; what is returned has its name."""
        nameless = input.model_copy(update={"name": NAME})
        made = await self.inner.create_attachment(nameless, context)
        attachment = made.model_copy(update={"name": input.name})
        await self._store.save_attachment(attachment, context)
        return attachment
