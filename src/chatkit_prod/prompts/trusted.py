"""What may stand in instructions beside literals: settings of start-up, and choices among them."""

from collections.abc import Callable, Mapping
from typing import Any, LiteralString

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import is_text, named
from chatkit_prod.state import RequestState


class TrustedSetting:
    """A text of the app's own configuration: of a file, the environment, a table that only operators write.

    It is made at start-up, or by a task that refreshes it, never for a request: what was there before a request
    cannot hold what came with it. What differs from user to user is a `TrustedChoice` among settings.

    Args:
        text: Not empty. Whoever can write it can instruct the model.

    Raises:
        ConfigurationError: It is something else, or made while a request is answered.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        require_start_up("a TrustedSetting")
        if not is_text(text):
            raise ConfigurationError(f"a TrustedSetting must be a text, and not empty: not {named(text)}")
        self._text = str.__str__(text)

    def __repr__(self) -> str:
        return "TrustedSetting(...)"

    @property
    def text(self) -> str:
        """The text."""
        return self._text


class TrustedChoice:
    """One of several trusted texts, chosen anew for each request.

    What the request brings only chooses, and never gets into the text itself: a language that was negotiated, a
    role, a tenant.

    Args:
        texts: The texts, by key: literals or settings.
        by: Returns the key. It gets what the run has as its context: in ChatKit an `AgentContext`.

    Raises:
        ConfigurationError: `texts` is empty or holds something else, or `by` cannot be called.
    """

    __slots__ = ("_by", "_texts")

    def __init__(
        self, texts: "Mapping[str, LiteralString | TrustedSetting]", *, by: Callable[[Any], str]
    ) -> None:
        require_start_up("a TrustedChoice")
        if not isinstance(texts, Mapping) or not texts:
            raise ConfigurationError(f"texts must be texts by their keys, not {named(texts)}")
        if not callable(by):
            raise ConfigurationError(f"by must be a function of the run's context, not {named(by)}")
        self._texts = {key: as_setting(text) for key, text in texts.items()}
        self._by = by

    def of(self, context: Any) -> TrustedSetting:
        """Return the text for a run.

        Args:
            context: What the run has as its context.

        Raises:
            ConfigurationError: There is none for what `by` returned.
        """
        key = self._by(context)
        found = self._texts.get(key) if isinstance(key, str) else None
        if found is None:
            raise ConfigurationError(
                f"a TrustedChoice has no text for what `by` returned; it has some for {', '.join(self._texts)}"
            )
        return found


def user_locale(context: Any) -> str:
    """Return the negotiated language of a run's user, spelt as in the app's list of locales.

    Args:
        context: A `RequestContext`, or an `AgentContext` of ChatKit with one in it; anything else within an endpoint.

    Raises:
        ConfigurationError: No language was negotiated.
    """
    inner = getattr(context, "request_context", context)
    locale = getattr(inner, "locale", None)
    if isinstance(locale, str):
        return locale
    state = RequestState.current()
    if state is None:
        raise ConfigurationError(
            "the run has no locale: give it a RequestContext, or choose by a function of your own"
        )
    return state.locale


def as_setting(text: str | TrustedSetting) -> TrustedSetting:
    """Return a literal or a setting as a setting."""
    return text if isinstance(text, TrustedSetting) else TrustedSetting(text)


def require_start_up(what: str) -> None:
    """Check that no request is being answered.

    Raises:
        ConfigurationError: One is, or this was begun by one that is over.
    """
    if RequestState.within_request():
        raise ConfigurationError(
            f"{what} must be made at start-up, at the top of a module say: made while a request is answered, "
            "it could hold what came with it. Choose among several with TrustedChoice"
        )
