"""What takes personal data out of a text, whoever does it."""

from typing import Protocol


class Scrubbed(Protocol):
    """A text after personal data was taken out of it."""

    @property
    def text(self) -> str:
        """What is left, with placeholders where something stood."""
        ...


class TextScrubber(Protocol):
    """Takes personal data out of texts."""

    def scrub(self, text: str, /) -> Scrubbed:
        """Return a text without the personal data that was found in it.

        Args:
            text: As a user or a program wrote it: untrusted.
        """
        ...
