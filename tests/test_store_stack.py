"""What `harden` puts in front of a server's stores, and in which order."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chatkit_prod import ConfigurationError, harden
from chatkit_prod.access import OwnerOnly, OwnershipAttachmentStore, OwnershipStore, SameTenant
from chatkit_prod.auth import JWTBearer
from chatkit_prod.encryption import EncryptedAttachmentStore, EncryptedStore, LocalKeyring
from chatkit_prod.retention import RetentionPolicy, RetentionStore
from chatkit_prod.store import DelegatingAttachmentStore, DelegatingStore
from chatkit_prod.testing import (
    ChatKitClient,
    LocalIdentityProvider,
    MemoryStore,
    chatkit_request,
    user_message,
)
from chatkit_prod.tracing import TracedStore
from chatkit_prod.tracing.store import TracedAttachmentStore
from tests.servers import MemoryAttachmentStore, ScriptedServer, hello

pytestmark = pytest.mark.anyio

PROVIDER = LocalIdentityProvider()
BEARER = JWTBearer(issuer=PROVIDER.issuer, audience=PROVIDER.audience, jwks=PROVIDER.jwks)
POLICY = RetentionPolicy(max_age=timedelta(days=30))
KEYRING = LocalKeyring.generate()


def layers(store: Any) -> Iterator[type]:
    """Yield what stands in front of a store, outermost first, and the store itself."""
    while True:
        yield type(store)
        if not isinstance(store, DelegatingStore | DelegatingAttachmentStore):
            return
        store = cast("Any", store).inner


def server_with_files() -> ScriptedServer:
    server = ScriptedServer(hello)
    server.attachment_store = MemoryAttachmentStore()
    return server


def test_the_guard_is_outermost_and_spans_are_of_the_apps_own_store() -> None:
    server = server_with_files()
    for _ in range(2):  # a second app of the same server changes nothing
        harden(server, auth=BEARER, access=OwnerOnly(), retention=POLICY, keyring=KEYRING)
        assert list(layers(server.store)) == [
            OwnershipStore,
            RetentionStore,
            EncryptedStore,
            TracedStore,
            MemoryStore,
        ]
        assert list(layers(server.attachment_store)) == [
            OwnershipAttachmentStore,
            EncryptedAttachmentStore,
            TracedAttachmentStore,
            MemoryAttachmentStore,
        ]


@pytest.mark.parametrize(
    ("options", "outermost"),
    [
        ({}, TracedStore),
        ({"keyring": KEYRING}, EncryptedStore),
        ({"retention": POLICY}, RetentionStore),
        ({"access": OwnerOnly()}, OwnershipStore),
    ],
    ids=["nothing", "a keyring", "retention", "access"],
)
def test_each_is_there_if_it_is_asked_for(options: dict[str, Any], outermost: type) -> None:
    server = ScriptedServer(hello)
    harden(server, auth=BEARER, **options)
    assert next(layers(server.store)) is outermost


@pytest.mark.parametrize(
    ("first", "then", "text"),
    [
        ({"access": OwnerOnly()}, {"access": SameTenant()}, "guarded already"),
        (
            {"retention": POLICY},
            {"retention": RetentionPolicy(max_age=timedelta(days=1))},
            "expires threads already",
        ),
        ({"keyring": KEYRING}, {"keyring": LocalKeyring.generate()}, "encrypted already"),
        ({"access": OwnerOnly()}, {"retention": POLICY}, "wrapped already"),
        ({"access": OwnerOnly()}, {"keyring": KEYRING}, "wrapped already"),
        ({"retention": POLICY}, {"keyring": KEYRING}, "wrapped already"),
    ],
    ids=[
        "access",
        "retention",
        "keyring",
        "retention inside",
        "a keyring inside",
        "a keyring inside retention",
    ],
)
def test_a_second_app_cannot_change_what_stands_there(
    first: dict[str, Any], then: dict[str, Any], text: str
) -> None:
    server = ScriptedServer(hello)
    harden(server, auth=BEARER, **first)
    before = list(layers(server.store))
    with pytest.raises(ConfigurationError, match=text):
        harden(server, auth=BEARER, **then)
    assert list(layers(server.store)) == before


async def test_the_whole_stack_seals_what_it_serves_and_hides_what_expired() -> None:
    ends: list[datetime] = []

    def expires_at(*_: object) -> datetime | None:
        return ends[0] if ends else None

    policy = RetentionPolicy(max_age=None, expires_at=expires_at)
    server = ScriptedServer(hello)
    own: Any = server.store
    app = harden(server, auth=BEARER, access=OwnerOnly(), retention=policy, keyring=KEYRING)
    alice = ChatKitClient(app, headers={"authorization": f"Bearer {PROVIDER.token('alice')}"})
    created = await alice.send(chatkit_request("threads.create", input=user_message("my canary")))
    thread_id = created.events[0]["thread"]["id"]
    thread = chatkit_request("threads.get_by_id", thread_id=thread_id)
    assert b"my canary" in (await alice.send(thread)).body
    stored = await own.load_thread_items(thread_id, None, 10, "asc", None)
    assert stored.data
    assert "my canary" not in stored.model_dump_json()
    ends.append(datetime.now(UTC) - timedelta(seconds=1))
    assert (await alice.send(thread)).status == 404


@pytest.mark.parametrize(
    "option", [{"limits_storage": "memory://"}, {"limits_on_storage_error": "open"}], ids=str
)
def test_what_limits_need_is_refused_without_rules(option: Any) -> None:
    with pytest.raises(ConfigurationError, match="limits=Rules"):
        harden(ScriptedServer(hello), auth=BEARER, **option)
