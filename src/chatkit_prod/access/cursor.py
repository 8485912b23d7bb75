"""A cursor that names somebody else's row, and tells nobody which."""

from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken

from chatkit_prod.errors import ConfigurationError

from .owner import Owner

_PREFIX = "scan~"


class SealedCursors:
    """Encrypts cursors for one user at a time.

    Args:
        key: Of Fernet: 32 bytes in URL-safe base64. Without it a new one is made, and the cursors are void in
            another process, and after the end of this one.

    Raises:
        ConfigurationError: The key is none.
    """

    def __init__(self, key: bytes | str | None = None) -> None:
        try:
            self._fernet = Fernet(Fernet.generate_key() if key is None else key)
        except (ValueError, TypeError):
            raise ConfigurationError("cursor_key must be a key as Fernet.generate_key() makes them") from None

    def seal(self, cursor: str, owner: Owner) -> str:
        """Return a cursor that only this process can read, and only for this user."""
        return _PREFIX + self._fernet.encrypt(_digest(owner) + cursor.encode()).decode()

    def open(self, sealed: str, owner: Owner) -> str | None:
        """Return the cursor inside; None if this is no sealed cursor of this user.

        Args:
            sealed: As the client sent it; untrusted.
            owner: Who asks.
        """
        if not sealed.startswith(_PREFIX):
            return None
        try:
            opened = self._fernet.decrypt(sealed.removeprefix(_PREFIX).encode(errors="replace"))
        except InvalidToken:
            return None
        user = _digest(owner)
        return opened.removeprefix(user).decode() if opened.startswith(user) else None


def _digest(owner: Owner) -> bytes:
    return sha256(str(owner).encode()).digest()
