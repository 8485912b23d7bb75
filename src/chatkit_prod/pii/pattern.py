"""Patterns without end, and the patterns of their prefixes.

What a stream has to hold back is what may still become a match: the longest end of the text that is a prefix of
something a pattern describes. So every pattern is turned into the pattern of its own prefixes.

    ab{1,2}c    →    a(?:b(?:b{0,1}c?)?)?

A pattern is written in what `re` and RE2 have in common, and means the same to both.

    alternatives   sequence | sequence
    sequence       part part …
    part           one, one{m,n}, one{m}, one?
    one            a literal, an escaped literal, [a class], (?:alternatives)
"""

# ruff: noqa: D102 - the base class says what each of them is
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from chatkit_prod.errors import ConfigurationError

_MAX_REPEAT = 1000  # that of RE2


class Node(ABC):
    """A part of a pattern."""

    @property
    @abstractmethod
    def source(self) -> str:
        """The pattern of this part."""

    @property
    @abstractmethod
    def begun(self) -> str:
        """The pattern of its prefixes: not the empty one; the whole is one."""

    @property
    @abstractmethod
    def is_optional(self) -> bool:
        """Whether nothing at all fits as well."""

    @property
    @abstractmethod
    def width(self) -> int:
        """The most characters that it takes."""

    @abstractmethod
    def firsts(self) -> Iterator[str]:
        """Yield the patterns of the characters that it may begin with."""


@dataclass(frozen=True, slots=True)
class One(Node):
    """One character: a literal or a class."""

    source: str  # pyright: ignore[reportIncompatibleMethodOverride] - a field instead of a property

    @property
    def begun(self) -> str:
        return self.source

    @property
    def is_optional(self) -> bool:
        return False

    @property
    def width(self) -> int:
        return 1

    def firsts(self) -> Iterator[str]:
        yield self.source


@dataclass(frozen=True, slots=True)
class Repeated(Node):
    """A part, a number of times."""

    part: Node
    least: int
    most: int

    @property
    def source(self) -> str:
        counts = "?" if (self.least, self.most) == (0, 1) else f"{{{self.least},{self.most}}}"
        return _grouped(self.part) + counts

    @property
    def begun(self) -> str:
        if isinstance(self.part, One):  # beginning with the one itself, at which `re` looks first
            return f"{self.part.source}{self.part.source}{{0,{self.most - 1}}}"
        if self.most == 1:
            return self.part.begun
        return f"(?:{_grouped(self.part)}{{0,{self.most - 1}}}(?:{self.part.begun}))"

    @property
    def is_optional(self) -> bool:
        return self.least == 0 or self.part.is_optional

    @property
    def width(self) -> int:
        return self.most * self.part.width

    def firsts(self) -> Iterator[str]:
        return self.part.firsts()


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """Parts, one behind the other."""

    parts: tuple[Node, ...]

    @property
    def source(self) -> str:
        return "".join(map(_in_sequence, self.parts))

    @property
    def begun(self) -> str:
        if not self.parts:
            return "(?!)"
        head, rest = self.parts[0], Sequence(self.parts[1:])
        if not rest.parts:
            return head.begun
        if isinstance(head, One):
            return f"{head.source}(?:{rest.begun})?"
        whole = f"{_in_sequence(head)}(?:{rest.begun})"
        if isinstance(head, Repeated) and isinstance(head.part, One) and head.least:
            one = head.part.source
            return f"{one}(?:{one}{{{head.least - 1},{head.most - 1}}}(?:{rest.begun})|{one}{{0,{head.most - 1}}})"
        return f"(?:{whole}|{head.begun})"

    @property
    def is_optional(self) -> bool:
        return all(part.is_optional for part in self.parts)

    @property
    def width(self) -> int:
        return sum(part.width for part in self.parts)

    def firsts(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.firsts()
            if not part.is_optional:
                return


@dataclass(frozen=True, slots=True)
class Alternatives(Node):
    """One of several parts; the first that fits."""

    branches: tuple[Node, ...]

    @property
    def source(self) -> str:
        return "|".join(branch.source for branch in self.branches)

    @property
    def begun(self) -> str:
        return "(?:" + "|".join(branch.begun for branch in self.branches if branch.width) + ")"

    @property
    def is_optional(self) -> bool:
        return any(branch.is_optional for branch in self.branches)

    @property
    def width(self) -> int:
        return max(branch.width for branch in self.branches)

    def firsts(self) -> Iterator[str]:
        for branch in self.branches:
            yield from branch.firsts()


def followed_by(node: Node, then: Node) -> Node:
    """Return two parts as one."""
    both = (*parts(node), *parts(then))
    return both[0] if len(both) == 1 else Sequence(both)


def without_last(node: Node) -> Node:
    """Return a part without its last character: after it, one more decides."""
    match node:
        case Sequence(found) if found:
            return followed_by(Sequence(found[:-1]), without_last(found[-1]))
        case Alternatives(found):
            return Alternatives(tuple(map(without_last, found)))
        case Repeated(part, least, most):
            before = Repeated(part, max(least - 1, 0), most - 1) if most > 1 else Sequence(())
            return followed_by(before, without_last(part))
        case One():
            return Sequence(())
        case _:
            return node


def mirrored(node: Node) -> Node:
    """Return a part that fits what this one fits, from its end to its beginning."""
    match node:
        case Sequence(found):
            return Sequence(tuple(map(mirrored, reversed(found))))
        case Alternatives(found):
            return Alternatives(tuple(map(mirrored, found)))
        case Repeated(part, least, most):
            return Repeated(mirrored(part), least, most)
        case _:
            return node


def split_at(node: Node, source: str) -> tuple[Node, Node] | None:
    """Return what stands before a part of a sequence, and what from it on.

    None if it is not in there as it is written, or if what stands before may hold it as well.

    Args:
        node: The sequence.
        source: The pattern of the part, or the first of several.
    """
    sequence = parts(node)
    for index in range(1, len(sequence)):
        if "".join(map(_in_sequence, sequence[index:])).startswith(source):
            head, rest = Sequence(sequence[:index]), Sequence(sequence[index:])
            return None if all_letters(head) & letters(rest) else (head, rest)
    return None


def parts(node: Node) -> tuple[Node, ...]:
    """Return the parts of a sequence; any other is one part."""
    found = node.parts if isinstance(node, Sequence) else (node,)
    return tuple(part for part in found if part.width)


def branches(node: Node) -> tuple[Node, ...]:
    """Return the alternatives; any other is the only one."""
    return node.branches if isinstance(node, Alternatives) else (node,)


@lru_cache(maxsize=4096)
def letters(node: Node) -> frozenset[str]:
    """Return the characters of folded text that it may begin with."""
    return frozenset[str]().union(*map(_letters_of, node.firsts()))


@lru_cache(maxsize=4096)
def all_letters(node: Node) -> frozenset[str]:
    """Return the characters of folded text that it may hold."""
    match node:
        case One(source):
            return _letters_of(source)
        case Repeated(part):
            return all_letters(part)
        case Sequence(found) | Alternatives(found):
            return frozenset[str]().union(*map(all_letters, found))
        case _:
            raise TypeError(node)


@lru_cache(maxsize=4096)
def _letters_of(source: str) -> frozenset[str]:
    fits = re.compile(source, re.DOTALL).fullmatch
    return frozenset(letter for letter in map(chr, range(256)) if fits(letter))


def literal(node: Node) -> str | None:
    """Return the only text that it stands for; None if there is more than one."""
    each = [_letters_of(part.source) if isinstance(part, One) else frozenset[str]() for part in parts(node)]
    return "".join(letter for (letter,) in each) if all(len(some) == 1 for some in each) else None


def _grouped(node: Node) -> str:
    return node.source if isinstance(node, One) else f"(?:{node.source})"


def _in_sequence(node: Node) -> str:
    return f"(?:{node.source})" if isinstance(node, Alternatives) else node.source


_TOKEN = re.compile(
    r"(?P<open>\(\?:)|(?P<close>\))|(?P<bar>\|)|(?P<counts>\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]+))?\}|\?)"
    r"|(?P<one>\[(?!\^?\])\^?(?:\\[^0-9A-Za-z]|\\[nrt]|\\x[0-9a-f]{2}|[^\]\\\[])+\]|\\[^0-9A-Za-z]|\\[nrt]|\\x[0-9a-f]{2}|[^\\.^$*+?{}\[\]()|])",
    re.DOTALL,
)


def parse(pattern: str) -> Node:
    """Return the parts of a pattern.

    Raises:
        ConfigurationError: It holds anything but what the head of this module names.
    """
    return _Parser(pattern).parse()


class _Parser:
    """Reads one pattern, from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._tokens: list[re.Match[str]] = []
        at = 0
        while at < len(pattern):
            token = _TOKEN.match(pattern, at)
            if token is None:
                raise self._error(at)
            self._tokens.append(token)
            at = token.end()
        self._next = 0

    def parse(self) -> Node:
        node = self._alternatives()
        if self._peek() is not None:
            raise self._error()
        return node

    def _alternatives(self) -> Node:
        branches = [self._sequence()]
        while self._take("bar"):
            branches.append(self._sequence())
        return branches[0] if len(branches) == 1 else Alternatives(tuple(branches))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() in ("one", "open"):
            parts.append(self._repeated(self._one()))
        if not parts:
            raise self._error()
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def _one(self) -> Node:
        if not self._take("open"):
            return One(self._tokens[self._advance()][0])
        node = self._alternatives()
        if not self._take("close"):
            raise self._error()
        return node

    def _repeated(self, part: Node) -> Node:
        if self._peek() != "counts":
            return part
        counts = self._tokens[self._advance()]
        least = int(counts["least"] or 0)
        most = int(counts["most"] or counts["least"] or 1)
        if not 0 <= least <= most <= _MAX_REPEAT or not most or part.is_optional:
            raise self._error()
        return Repeated(part, least, most)

    def _peek(self) -> str | None:
        return self._tokens[self._next].lastgroup if self._next < len(self._tokens) else None

    def _take(self, kind: str) -> bool:
        is_next = self._peek() == kind
        self._next += is_next
        return is_next

    def _advance(self) -> int:
        self._next += 1
        return self._next - 1

    def _error(self, at: int | None = None) -> ConfigurationError:
        if at is None:
            at = self._tokens[self._next].start() if self._next < len(self._tokens) else len(self._pattern)
        return ConfigurationError(
            f"a pattern must be made of literals, classes, (?:), | and bounded repeats: "
            f"{self._pattern[at : at + 20]!r} in {self._pattern!r}"
        )
