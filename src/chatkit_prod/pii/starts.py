"""Where a match may begin whose trigger stands at a place.

at the trigger       1.1.1.1            the trigger comes first
with its word        DE89 3704 …        only letters and digits come first: it begins where their word does
behind a head        bob@example.com    a head comes first: where what follows may fit, it is searched backwards
anywhere before      …                  neither is known: each place within the lead
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Protocol

from .compiled import Compiled, alive, alive_in, first_letters, union
from .detector import ALNUM
from .pattern import Alternatives, Node, all_letters, letters, mirrored, parts, split_at

_NEAR = 2
_REMEMBERED = 4096

_WORD = frozenset(chr(code) for code in range(256) if re.fullmatch(f"[{ALNUM}]", chr(code)))


class Starts(Protocol):
    """The places around a trigger where matches of some detectors may begin."""

    def may_be(self, before: str, ahead: str, /) -> bool:
        """Tell whether there may be any.

        Args:
            before: The character before the trigger; empty where the text begins.
            ahead: A few from the trigger on.
        """
        ...

    def around(self, text: str, begin: int, trigger: int, /) -> Iterable[int]:
        """Return them, from a place on.

        Args:
            text: Folded.
            begin: The place.
            trigger: Where the trigger stands.
        """
        ...


def grouped(trigger: Node, members: Iterable[Compiled]) -> Iterator[tuple[Starts, Sequence[Compiled]]]:
    """Yield detectors with one trigger by where their matches may begin."""
    first: list[Compiled] = []
    with_word: list[Compiled] = []
    behind_head: list[tuple[Compiled, Node, Node]] = []
    anywhere: list[Compiled] = []
    for member in members:
        if (
            member.is_bounded
            and letters(trigger) <= _WORD
            and (not member.detector.lead or _is_in_word(member.node, letters(trigger)))
        ):
            with_word.append(member)
        elif not member.detector.lead:
            first.append(member)
        elif (split := split_at(member.node, trigger.source)) is not None:
            behind_head.append((member, *split))
        else:
            anywhere.append(member)
    if first:
        yield _AtTrigger(first), first
    if with_word:
        yield _WithWord(with_word), with_word
    if behind_head:
        yield _BehindHead(behind_head), [member for member, _, _ in behind_head]
    if anywhere:
        yield _Anywhere(anywhere), anywhere


class _AtTrigger:
    def __init__(self, members: Sequence[Compiled]) -> None:
        self._is_alive = re.compile(alive_in(members)).match

    def may_be(self, before: str, ahead: str) -> bool:  # noqa: ARG002 - as the protocol has it
        return self._is_alive(ahead) is not None

    def around(self, text: str, begin: int, trigger: int) -> Iterable[int]:  # noqa: ARG002 - as the protocol has it
        return (trigger,) if trigger >= begin else ()


class _WithWord:
    def __init__(self, members: Sequence[Compiled]) -> None:
        self._is_alive = re.compile(alive_in(members)).match
        self._lead = max(member.detector.lead for member in members)
        self._word = re.compile(rf"(?<![{ALNUM}])[{ALNUM}]+\Z").search

    def may_be(self, before: str, ahead: str) -> bool:
        return before in _WORD or self._is_alive(ahead) is not None

    def around(self, text: str, begin: int, trigger: int) -> Iterable[int]:
        if not trigger or text[trigger - 1] not in _WORD:
            return (trigger,)
        found = self._word(text, max(begin, trigger - self._lead), trigger)
        return () if found is None else (found.start(),)


class _BehindHead:
    def __init__(self, members: Sequence[tuple[Compiled, Node, Node]]) -> None:
        heads, rests = [head for _, head, _ in members], [rest for _, _, rest in members]
        self._is_alive = re.compile(alive(rests, rests)).match
        backwards = [mirrored(head) for head in heads]
        self._is_behind = lru_cache(_REMEMBERED)(re.compile(alive(backwards, backwards)).match)
        self._may_lead_nothing = any(head.is_optional for head in heads)
        self._backwards = re.compile(
            rf"(?:{union((member.bound, head.source) for member, head, _ in members)})\Z"
        ).search
        self._lead = max(member.detector.lead for member, _, _ in members)

    def may_be(self, before: str, ahead: str) -> bool:  # noqa: ARG002 - what stands before is asked at the place
        return self._is_alive(ahead) is not None

    def around(self, text: str, begin: int, trigger: int) -> Iterable[int]:
        near = text[max(0, trigger - _NEAR) : trigger][::-1]
        if not self._may_lead_nothing and self._is_behind(near) is None:
            return ()
        return self._from(text, max(begin, trigger - self._lead), trigger)

    def _from(self, text: str, begin: int, trigger: int) -> Iterator[int]:
        while (found := self._backwards(text, begin, trigger)) is not None:
            yield found.start()
            begin = found.start() + 1


class _Anywhere:
    def __init__(self, members: Sequence[Compiled]) -> None:
        first = "".join(map(re.escape, first_letters(members)))
        is_bounded = all(member.is_bounded for member in members)
        self._places = re.compile((rf"(?<![{ALNUM}])" if is_bounded else "") + f"[{first}]").finditer
        self._lead = max(member.detector.lead for member in members)

    def may_be(self, before: str, ahead: str) -> bool:  # noqa: ARG002 - as the protocol has it
        return True

    def around(self, text: str, begin: int, trigger: int) -> Iterator[int]:
        for found in self._places(text, max(begin, trigger - self._lead), trigger + 1):
            yield found.start()


def _is_in_word(node: Node, trigger: frozenset[str]) -> bool:
    """Tell whether only letters and digits stand before the first trigger in a pattern."""
    if isinstance(node, Alternatives):
        return all(_is_in_word(branch, trigger) for branch in node.branches)
    for part in parts(node):
        if letters(part) <= trigger and not part.is_optional:
            return True
        if not all_letters(part) <= _WORD:
            return False
    return True
