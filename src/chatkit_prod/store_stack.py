"""All store wrappers in their order around the stores of one server.

    guarded → what expires → sealed → traced → the app's own

The guard is outermost, for it takes the owners' stamps away; what expires has to read them. Traced is what the
app's own store is asked, and so are the calls of the gate, of the keys and of the sweep.
"""

from typing import Any, TypeVar, cast

from chatkit.server import ChatKitServer
from chatkit.store import Store

from .access import AccessPolicy, OwnershipAttachmentStore, OwnershipStore
from .access.attachments import is_guarded
from .access.store import guarded_store
from .encryption import EncryptedAttachmentStore, EncryptedStore, Keyring
from .errors import ConfigurationError
from .retention import RetentionPolicy, RetentionStore
from .store import DelegatingStore

TStore = TypeVar("TStore", bound=DelegatingStore[Any])


def require_room(
    server: ChatKitServer[Any],
    *,
    access: AccessPolicy | None,
    retention: RetentionPolicy | None,
    keyring: Keyring | None,
) -> None:
    """Check that the wrappers that are asked for go around a server's stores, or are there already.

    Raises:
        ConfigurationError: There is one already with another policy; or a guard, inside of which nothing can be put.
    """
    guarded = guarded_store(server.store)
    if access is not None and guarded is not None and guarded.guard.policy != access:
        raise ConfigurationError(
            "the store of this server is guarded already, by another policy than access="
        )
    kept = cast("RetentionStore[Any] | None", _found(RetentionStore, server.store))
    if retention is not None and kept is not None and kept.policy != retention:
        raise ConfigurationError(
            "the store of this server expires threads already, by another policy than retention="
        )
    sealed = cast("EncryptedStore[Any] | None", _found(EncryptedStore, server.store))
    if keyring is not None and sealed is not None and sealed.keyring is not keyring:
        raise ConfigurationError(
            "the store of this server is encrypted already, with another keyring than keyring="
        )
    is_new = (retention is not None and kept is None) or (keyring is not None and sealed is None)
    if is_new and (guarded is not None or (kept is not None and keyring is not None and sealed is None)):
        raise ConfigurationError(
            "the store of this server is wrapped already: write all of "
            "OwnershipStore(RetentionStore(EncryptedStore(...))) there, or none of it"
        )


def wrap_stores(
    server: ChatKitServer[Any],
    *,
    access: AccessPolicy | None,
    retention: RetentionPolicy | None,
    keyring: Keyring | None,
) -> None:
    """Put what is asked for in front of a server's stores, unless it is there already."""
    if keyring is not None and _found(EncryptedStore, server.store) is None:
        sealed = server.store = EncryptedStore(server.store, keyring=keyring)
        if server.attachment_store is not None:
            server.attachment_store = EncryptedAttachmentStore(server.attachment_store, store=sealed)
    if retention is not None and _found(RetentionStore, server.store) is None:
        server.store = RetentionStore(server.store, policy=retention)
    if access is not None:
        _guard(server, access)


def _guard(server: ChatKitServer[Any], policy: AccessPolicy) -> None:
    store = guarded_store(server.store)
    if store is None:
        store = server.store = OwnershipStore(server.store, policy=policy)
    files = server.attachment_store
    if files is not None and not is_guarded(files):
        server.attachment_store = OwnershipAttachmentStore(files, store=store)


def _found(kind: type[TStore], store: Store[Any]) -> TStore | None:
    """Return the wrapper of a kind that a store is, or holds."""
    while isinstance(store, DelegatingStore):
        if isinstance(store, kind):
            return store
        store = store.inner
    return None
