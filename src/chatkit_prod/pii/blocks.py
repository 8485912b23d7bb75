"""The bytes of a stream of events, cut into what a client would dispatch, and nothing lost of them.

The format is the `text/event-stream` of the HTML standard, §9.2.6.
"""

import re
from typing import NamedTuple

_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r(?=[^\n]))")  # one at the end may still belong to a line feed
_BOM = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """An event, with the blank line behind it, or a comment.

    Args:
        raw: Its bytes.
        data: The lines of `data`, joined by line feeds; None if there are none.
        others: Its other lines, without their ends.
    """

    raw: bytes
    data: str | None
    others: tuple[bytes, ...]

    def with_data(self, data: bytes, others: tuple[bytes, ...]) -> bytes:
        """Return the event with other data, and other lines."""
        lines = [*others, *(b"data: " + line for line in data.split(b"\n"))]
        return b"\n".join(lines) + b"\n\n"


class BlockReader:
    """Takes chunks of a stream, cut anywhere.

    Attributes:
        is_idle: Whether nothing of an event is waiting for the rest.
    """

    def __init__(self) -> None:
        self.is_idle = True
        self._rest = bytearray()
        self._is_start = True
        self._raw: list[bytes] = []
        self._data: list[bytes] | None = None
        self._others: list[bytes] = []

    def feed(self, chunk: bytes) -> list[Block]:
        """Return what is complete with a chunk. A comment is, with its line, also within an event: it goes in front.

        Raises:
            ValueError: It is not UTF-8.
        """
        had_return = self._rest.endswith(b"\r")
        self._rest += chunk
        blocks: list[Block] = []
        if had_return or b"\n" in chunk or b"\r" in chunk:
            text = bytes(self._rest)
            end = 0
            for found in _LINE.finditer(text):
                end = found.end()
                block = self._take(found[1], found[0])
                if block is not None:
                    blocks.append(block)
            self._rest = bytearray(text[end:])
        self.is_idle = not self._rest and not self._raw
        return blocks

    def _take(self, line: bytes, raw: bytes) -> Block | None:
        if self._is_start:
            self._is_start = False
            line, raw = line.removeprefix(_BOM), raw.removeprefix(_BOM)
        if line.startswith(b":"):
            return Block(raw, None, (line,))
        self._raw.append(raw)
        if not line:
            return self._block()
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data = self._data or []
            self._data.append(value.removeprefix(b" "))
        else:
            self._others.append(line)
        return None

    def _block(self) -> Block:
        data = None if self._data is None else b"\n".join(self._data).decode()
        block = Block(b"".join(self._raw), data, tuple(self._others))
        self._raw, self._data, self._others = [], None, []
        return block
