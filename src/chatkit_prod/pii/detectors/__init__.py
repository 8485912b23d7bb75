"""The detectors of this package, by what they find."""

from chatkit_prod.pii.detector import Detector

from .contact import CONTACT
from .documents import DOCUMENTS
from .identity import IDENTITY
from .money import MONEY
from .network import NETWORK
from .secrets import SECRETS
from .wallets import WALLETS

DETECTORS: tuple[Detector, ...] = (
    *SECRETS,
    *WALLETS,
    *MONEY,
    *NETWORK,
    *IDENTITY,
    *DOCUMENTS,
    *CONTACT,
)
"""All of them. Of two that match the same characters, the one that is sooner here names what is found: what a prefix
or a checksum proves before what a word makes likely, and phone numbers last, for they look like any other number."""
