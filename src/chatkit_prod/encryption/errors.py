"""What is raised for a row that cannot be opened."""

from chatkit_prod.errors import InternalError


class UnsealError(InternalError):
    """A sealed key or row cannot be opened: it was changed, moved, or sealed under a key that is not here.

    The text holds nothing that was stored. Which row it was is in the log.

    Args:
        reason: What is wrong, in a few words of our own.
        key_id: The key-encryption key that the row names, where it names one.
    """

    def __init__(self, reason: str, *, key_id: str | None = None) -> None:
        super().__init__(f"a stored row cannot be opened: {reason}")
        self.reason = reason
        self.key_id = key_id
