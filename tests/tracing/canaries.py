"""A mark of its own in every text that somebody can put into a request, an item or an event of ChatKit.

types of ChatKit → walk → JSON values ┬→ each text, key and free value is a canary, or stands in `EXEMPT`
                                      └→ UncoveredError: of a field that the walk cannot fill
"""

import base64
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
)

from pydantic import AnyUrl, BaseModel, StringConstraints
from typing_extensions import get_type_hints, is_typeddict

_CANARY = re.compile(r"kanari[0-9]{5}[0-9a-f]{8}")
_PREFIX = re.compile(r"\^([a-z]+:)")
_SPOKEN = " sang"
"""A text has a space in it: it is no id, no word and no number, whatever reads it."""

_AN_ID = "an id, which telemetry may have: it names what is looked for, and says nothing"
_A_KEY = "the ids of questions are its keys; what was answered is a canary"

EXEMPT: Mapping[str, str] = {
    "AttachmentBase.id": _AN_ID,
    "AttachmentBase.thread_id": _AN_ID,
    "AttachmentDeleteParams.attachment_id": _AN_ID,
    "ClientToolCallItem.call_id": _AN_ID,
    "ItemFeedbackParams.item_ids": _AN_ID,
    "ItemFeedbackParams.thread_id": _AN_ID,
    "ItemsListParams.thread_id": _AN_ID,
    "StructuredInputBase.id": _AN_ID,
    "StructuredInputSubmission.answers": _A_KEY,
    "ThreadAddClientToolOutputParams.thread_id": _AN_ID,
    "ThreadAddStructuredInputParams.item_id": _AN_ID,
    "ThreadAddStructuredInputParams.thread_id": _AN_ID,
    "ThreadAddUserMessageParams.thread_id": _AN_ID,
    "ThreadCustomActionParams.item_id": _AN_ID,
    "ThreadCustomActionParams.thread_id": _AN_ID,
    "ThreadDeleteParams.thread_id": _AN_ID,
    "ThreadGetByIdParams.thread_id": _AN_ID,
    "ThreadItemBase.id": _AN_ID,
    "ThreadItemBase.thread_id": _AN_ID,
    "ThreadItemRemovedEvent.item_id": _AN_ID,
    "ThreadItemUpdatedEvent.item_id": _AN_ID,
    "ThreadMetadata.id": _AN_ID,
    "ThreadRetryAfterItemParams.item_id": _AN_ID,
    "ThreadRetryAfterItemParams.thread_id": _AN_ID,
    "ThreadUpdateParams.thread_id": _AN_ID,
    "UserMessageInput.attachments": _AN_ID,
}
"""The texts that are no canaries, by the class that declares them, each with the reason.

Literals, enums, numbers, booleans and times are none either: they hold no text. Every other text is one.
"""

ENCODED = frozenset(("InputTranscribeParams.audio_base64",))
"""The texts that must be base64."""

WORDS = frozenset(("ItemsListParams.after", "ThreadListParams.after"))
"""The texts that must have no space in them; they get a character that no id of ours has."""


class UncoveredError(Exception):
    """A field is of a type of which nobody has said how to fill it."""


class Canaries:
    """Makes marks, and finds them again in whatever came out."""

    def __init__(self) -> None:
        self._places: dict[str, str] = {}
        self._watched: dict[str, str] = {}

    def word(self, place: str) -> str:
        """Return a mark without a space, for what has to be a token.

        Args:
            place: Where it is put: what a leak is called.
        """
        mark = f"kanari{len(self._places):05}{secrets.token_hex(4)}"
        self._places[mark] = place
        return mark

    def text(self, place: str) -> str:
        """Return a mark that can be taken for nothing but a text of a user's."""
        return self.word(place) + _SPOKEN

    def base64(self, place: str) -> str:
        """Return a mark in base64, which is looked for as it is, and as what it stands for."""
        return self.watch(base64.b64encode(self.text(place).encode()).decode(), place)

    def watch(self, secret: str, place: str) -> str:
        """Look for a text that is no mark as well, and return it."""
        self._watched[secret] = place
        return secret

    def __len__(self) -> int:
        return len(self._places)

    def places(self) -> frozenset[str]:
        """Return every place that has a mark."""
        return frozenset(self._places.values())

    def found_in(self, text: str) -> list[str]:
        """Return the places whose marks stand in a text, in any case."""
        marks: list[str] = _CANARY.findall(text.lower())
        found = {self._places.get(mark, mark) for mark in marks}
        return sorted(found | {place for secret, place in self._watched.items() if secret in text})


class _Place(NamedTuple):
    """Where the walk is.

    Args:
        path: From the top, for people.
        field: The class that declares the field, and its name, as `EXEMPT` has them.
        inside: The models and unions around it: none is walked inside of itself.
    """

    path: str
    field: str
    inside: frozenset[object] = frozenset()

    def at(self, step: str, field: str | None = None) -> "_Place":
        return _Place(f"{self.path}{step}", self.field if field is None else field, self.inside)

    def within(self, found: object) -> "_Place":
        return self._replace(inside=self.inside | {found})


class Walk:
    """Fills every field of a type.

    Args:
        canaries: Makes the marks.
        ids: What stands in the fields of `EXEMPT`, by field; a function makes a new one each time.
        left_out: Optional fields that stay empty, because what else is in them would not be looked at.
    """

    def __init__(self, canaries: Canaries, ids: Mapping[str, Any], *, left_out: Iterable[str] = ()) -> None:
        self._canaries = canaries
        self._ids = ids
        self._left_out = frozenset(left_out)
        self.met: set[str] = set()
        """Every field that was filled."""

    def values(self, hint: Any, name: str | None = None) -> list[Any]:
        """Return as many JSON values of a type as it takes to fill every field of each of its members.

        Args:
            hint: A model, or a union of them.
            name: What it is called where a mark of it is found.

        Raises:
            UncoveredError: A field is of a type that is not known here.
        """
        found: list[Any] = []
        for member in members_of(hint):
            found += self._values(member, _Place(name or _name_of(member), _name_of(member)), ())
        return found

    def _values(self, hint: Any, place: _Place, constraints: Sequence[Any]) -> list[Any]:
        origin = get_origin(hint)
        if origin is Annotated:
            inner, *more = get_args(hint)
            return self._values(inner, place, (*constraints, *more))
        if origin in {NotRequired, Required}:
            return self._values(get_args(hint)[0], place, constraints)
        if origin in {Union, UnionType}:
            return self._union(hint, place)
        if origin is list and place.field in EXEMPT:
            return [self._id(place)]
        if origin is list:
            every = self._values(get_args(hint)[0], place.at("[]"), ())
            return [every]
        if hint is dict or origin is dict:
            return self._mapping(hint, place)
        if is_typeddict(hint):
            return self._typed_dict(hint, place)
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            return self._model(hint, place)
        return [self._leaf(hint, place, constraints)]

    def _union(self, hint: Any, place: _Place) -> list[Any]:
        members = members_of(hint)
        texts = [member for member in members if not _is_wordless(member)]
        if not texts:
            return [self._leaf(members[0], place, ())]
        union = frozenset(members)
        if union in place.inside:
            return [None] if type(None) in _flat(hint) else []
        within = place.within(union)
        return [value for member in texts for value in self._values(member, within, ())]

    def _mapping(self, hint: Any, place: _Place) -> list[Any]:
        of = get_args(hint)[1] if get_args(hint) else Any
        if place.field in EXEMPT:
            keys = self._id(place)
            return [{key: value for key in keys for value in self._values(of, place.at("{}", "values"), ())}]
        key = self._canaries.text(f"{place.path} (key)")
        self.met.add(place.field)
        return [{key: value} for value in self._values(of, place.at("{}"), ())]

    def _model(self, model: type[BaseModel], place: _Place) -> list[Any]:
        if model in place.inside:
            return []
        model.model_rebuild()  # or its annotations may still be names
        within = place.within(model)
        columns: dict[str, list[Any]] = {}
        for name, info in model.model_fields.items():
            at = within.at(f".{name}", _declared(model, name))
            values = [] if at.field in self._left_out else self._values(info.annotation, at, info.metadata)
            if not values and info.is_required():
                return []
            if values:
                columns[info.alias or name] = values
        if model.model_config.get("extra") == "allow":
            columns[self._canaries.text(f"{place.path} (a member of its own)")] = [
                self._canaries.text(f"{place.path}.*")
            ]
        return _rows(columns)

    def _typed_dict(self, hint: Any, place: _Place) -> list[Any]:
        if hint in place.inside:
            return []
        within = place.within(hint)
        hints = get_type_hints(hint, include_extras=True)
        return _rows(
            {
                name: self._values(found, within.at(f".{name}", f"{_name_of(hint)}.{name}"), ())
                for name, found in hints.items()
            }
        )

    def _leaf(self, hint: Any, place: _Place, constraints: Sequence[Any]) -> Any:
        if get_origin(hint) is Literal:
            return get_args(hint)[0]
        if isinstance(hint, type) and issubclass(hint, Enum):
            return next(iter(hint)).value
        if hint in _WORDLESS:
            return _WORDLESS[hint]
        if hint is str and place.field in EXEMPT:
            return self._id(place)
        self.met.add(place.field)
        if hint is str:
            return self._text(place, constraints)
        if hint is AnyUrl:
            return f"https://example.com/{self._canaries.word(place.path)}"
        if hint is Any:
            key, value = self._canaries.text(f"{place.path} (key)"), self._canaries.text(place.path)
            return {key: [value, {"nested": self._canaries.text(f"{place.path} (inside)")}]}
        raise UncoveredError(f"nobody has said how to fill {place.path}, which is {place.field}: {hint!r}")

    def _text(self, place: _Place, constraints: Sequence[Any]) -> str:
        if place.field in ENCODED:
            return self._canaries.base64(place.path)
        if place.field in WORDS:
            return f"{self._canaries.word(place.path)}!"
        patterns = [found.pattern for found in constraints if isinstance(found, StringConstraints)]
        if any(constraint for constraint in constraints if not isinstance(constraint, StringConstraints)):
            raise UncoveredError(f"nobody has said which texts {place.path} takes: {constraints!r}")
        prefix = ""
        for pattern in patterns:
            wanted = _PREFIX.fullmatch(str(pattern))
            if wanted is None:
                raise UncoveredError(f"nobody has said which texts {place.path} takes: {pattern!r}")
            prefix = wanted[1]
        return prefix + self._canaries.text(place.path)

    def _id(self, place: _Place) -> Any:
        self.met.add(place.field)
        if place.field not in self._ids:
            raise UncoveredError(f"there is no id for {place.path}, which is {place.field}")
        found = self._ids[place.field]
        return found() if callable(found) else found


_WORDLESS: Mapping[Any, Any] = {
    bool: True,
    int: 1,
    float: 1.5,
    type(None): None,
    datetime: "2026-01-02T03:04:05",
}
"""What holds no text."""


def members_of(hint: Any) -> list[Any]:
    """Return the types of a union, however deep, without None; of another type, that one."""
    return [member for member in _flat(hint) if member is not type(None)]


def _flat(hint: Any) -> Iterator[Any]:
    origin = get_origin(hint)
    if origin is Annotated and get_origin(get_args(hint)[0]) in {Union, UnionType}:
        yield from _flat(get_args(hint)[0])
    elif origin in {Union, UnionType}:
        for member in get_args(hint):
            yield from _flat(member)
    else:
        yield hint


def _is_wordless(hint: Any) -> bool:
    return get_origin(hint) is Literal or hint in _WORDLESS


def _rows(columns: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Return as many objects as the longest column has values."""
    count = max((len(values) for values in columns.values()), default=1)
    return [
        {name: values[number % len(values)] for name, values in columns.items() if values}
        for number in range(count)
    ]


def _declared(model: type[BaseModel], name: str) -> str:
    """Return a field by the class that has brought it in."""
    owners = [found for found in model.__mro__ if issubclass(found, BaseModel) and name in found.model_fields]
    return f"{_name_of(owners[-1])}.{name}"


def _name_of(hint: Any) -> str:
    return getattr(hint, "__name__", repr(hint)).partition("[")[0]
