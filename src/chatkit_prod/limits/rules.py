"""What a caller may use, as an app writes it, and as it is counted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from chatkit_prod.errors import ConfigurationError

if TYPE_CHECKING:
    from limits import RateLimitItem as Item

RuleName = Literal["requests", "tenant_requests", "streams", "messages", "tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one user, or one tenant, may use. None leaves a thing unlimited.

    A window begins with the first request that counts in it, and everything is given back at its end. Two windows that meet
    may be used one right after the other: `"10/second; 60/minute"` says how much of a minute may come at once.

    Args:
        requests: Of one user, of every type, such as `"60/minute"`; also those that are refused.
        tenant_requests: Of all users of one tenant together; a user without a tenant has none to share.
        streams: How many answers one user may have open at a time.
        messages: Of one user, such as `"200/day"`: new messages, answers to a form, and asking for another answer.
        tokens: Of one user, such as `"100000/day"`, as `chatkit_prod.usage` is told of them. They are counted after the fact: an answer
            may begin while anything is left.

    Raises:
        ConfigurationError: There is no rule at all, one is not written as above, or allows nothing, or the extra
            `limits` is not installed.
    """

    requests: str | None = None
    tenant_requests: str | None = None
    streams: int | None = None
    messages: str | None = None
    tokens: str | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, name) is None for name in self.__dataclass_fields__):
            raise ConfigurationError('Rules need a rule, such as Rules(requests="60/minute")')
        if self.streams is not None and (
            not isinstance(self.streams, int) or isinstance(self.streams, bool) or self.streams < 1
        ):
            raise ConfigurationError(f"streams must be a positive integer, not {self.streams!r}")
        compiled(self)


class Window(NamedTuple):
    """A number of something in a length of time.

    Args:
        rule: Which rule it belongs to.
        name: The rule, with the seconds where it has several windows.
        item: The same as the library `limits` has it.
        amount: How much there is.
        seconds: How long the window lasts.
    """

    rule: RuleName
    name: str
    item: "Item"
    amount: int
    seconds: int


class Windows(NamedTuple):
    """The windows of every rule; none where there is no such rule."""

    requests: tuple[Window, ...]
    tenant_requests: tuple[Window, ...]
    messages: tuple[Window, ...]
    tokens: tuple[Window, ...]


def compiled(rules: Rules) -> Windows:
    """Return the windows of some rules.

    Raises:
        ConfigurationError: A rule cannot be read, or allows nothing.
    """
    return Windows(
        _windows("requests", rules.requests),
        _windows("tenant_requests", rules.tenant_requests),
        _windows("messages", rules.messages),
        _windows("tokens", rules.tokens),
    )


def _windows(rule: RuleName, written: Any) -> tuple[Window, ...]:
    try:
        from limits import RateLimitItem, parse_many  # noqa: PLC0415 - an extra, which other concerns do without
    except ImportError:
        raise ConfigurationError(
            'Rules need the extra `limits`: pip install "chatkit-prod[limits]"'
        ) from None
    if written is None:
        return ()
    try:
        items = sorted(parse_many(written), key=RateLimitItem.get_expiry)  # the short ones refuse first
    except ValueError:
        items = []
    if not items or not all(item.amount > 0 for item in items):
        raise ConfigurationError(
            f'{rule} must be written as "60/minute" or "10/second; 60/minute", not {written!r}'
        )
    for item in items:
        item.namespace = rule  # so that no two rules of the same numbers share a counter
    return tuple(
        Window(
            rule,
            rule if len(items) == 1 else f"{rule}-{item.get_expiry()}",
            item,
            item.amount,
            item.get_expiry(),
        )
        for item in items
    )
