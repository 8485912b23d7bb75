"""A cursor that names somebody else's row, and tells nobody which."""

from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken

from .owner import Owner

_PREFIX = "scan~"


class SealedCursors:
    """Encrypts cursors for one user at a time. They are void in another process, and after its end."""

    def __init__(self) -> None:
        self._fernet = Fernet(Fernet.generate_key())

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
