"""How many tokens of a model a request has used: said by the app, heard by whatever layer counts them."""

from typing import Protocol

from .errors import ConfigurationError
from .options import named
from .state import RequestState


class UsageSink(Protocol):
    """Is told what a request uses, while it runs."""

    def add(self, tokens: int, /) -> None:
        """Count tokens of a model, input and output together; they are used already.

        Args:
            tokens: Zero or more.
        """
        ...


def add_tokens(tokens: int) -> None:
    """Say how many tokens of a model the current request has just used; nothing happens where nobody counts.

    Known to the tasks of the request and the threads of `asyncio.to_thread`, until the request is over.

    Args:
        tokens: Input and output together.

    Raises:
        ConfigurationError: It is not a whole number, or less than zero, which would give tokens back.
    """
    if not isinstance(tokens, int) or isinstance(tokens, bool):
        raise ConfigurationError(f"tokens must be a whole number, not {named(tokens)}")
    if tokens < 0:
        raise ConfigurationError("tokens must be zero or more: what is used up does not come back")
    state = RequestState.current()
    if state is not None and state.usage is not None:
        state.usage.add(tokens)
