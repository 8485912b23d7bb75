"""What is stored is sealed: whoever reads the database reads ids and times, and whoever writes to it is noticed."""

from .attachments import EncryptedAttachmentStore
from .errors import UnsealError
from .keyring import Keyring, WrappedKey
from .local import LocalKeyring
from .reseal import Resealed, reseal
from .store import EncryptedStore

__all__ = [
    "EncryptedAttachmentStore",
    "EncryptedStore",
    "Keyring",
    "LocalKeyring",
    "Resealed",
    "UnsealError",
    "WrappedKey",
    "reseal",
]
