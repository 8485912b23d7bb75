"""Parts to test an app with: a store, a client, an identity provider, and a contract for stores.

`chatkit_prod.testing.contract` needs pytest (the extra `testing`) and is imported by its full name.
"""

from .client import Answer, ChatKitClient, EventStream
from .idp import LocalIdentityProvider
from .memory import MemoryStore
from .requests import chatkit_request, one_of_each, user_message

__all__ = [
    "Answer",
    "ChatKitClient",
    "EventStream",
    "LocalIdentityProvider",
    "MemoryStore",
    "chatkit_request",
    "one_of_each",
    "user_message",
]
