"""What the name of a value tells about it: never to be shown, or an id that is to stay."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import listed

Rule = Literal["deny", "allow"]

DENIED: Final = (
    *("password", "passwords", "passwd", "passphrase", "pwd", "credential", "credentials"),
    *("secret", "secrets", "client_secret", "clientsecret", "secretkey", "secret_key"),
    *("token", "accesstoken", "authtoken", "refreshtoken", "csrftoken", "xsrf", "csrf", "jwt", "bearer"),
    *("api_key", "apikey", "api_keys", "access_key", "accesskey", "private_key", "privatekey"),
    *("signing_key", "encryption_key", "auth", "authorization", "cookie", "cookies", "sessionid"),
    *("otp", "cvv", "cvc", "ssn", "url_query", "query_string"),
)
"""Credentials, and what holds them."""

ALLOWED: Final = (
    *("trace_id", "span_id", "parent_id", "traceparent", "request_id", "correlation_id", "run_id"),
    *("user_id", "user_hash", "enduser_id", "session_id", "tenant", "issuer", "key_id", "resource_id"),
    *("thread_id", "item_id", "message_id", "attachment_id", "conversation_id", "response_id", "call_id"),
)
"""Ids: what a record is found by."""

# Letters of camel case are words of their own: `apiKey`, `APIKey`.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


_MAX_NAME = 64


class Keys:
    """Rules for values by their names.

    A rule holds for every name that ends with its words, in any case and spelling: `api_key` for
    `http.request.header.x-api-key` and `stripeApiKey`, but not for `api_key_count`. Of two rules the longer one
    decides, and of two that are the same the denial.

    Args:
        deny: Whose values are replaced whole, whatever they are.
        allow: Whose values stay as they are.

    Raises:
        ConfigurationError: One of them is not a list of names, or a name has no letter or digit.
    """

    def __init__(self, *, deny: Iterable[str] = DENIED, allow: Iterable[str] = ALLOWED) -> None:
        denied, allowed = _rules(deny, "deny"), _rules(allow, "allow")
        self._rules: dict[tuple[str, ...], Rule] = {
            **dict.fromkeys(allowed, "allow"),
            **dict.fromkeys(denied, "deny"),
        }
        self._longest = max(map(len, self._rules), default=0)
        self._remembered = lru_cache(maxsize=4096)(self._rule)  # few names come again and again

    def rule(self, name: str) -> Rule | None:
        """Return what is to be done with the values of a name; None leaves it to what they are.

        Args:
            name: As a program or a user wrote it: untrusted.
        """
        return self._remembered(name) if len(name) <= _MAX_NAME else self._rule(name)

    def _rule(self, name: str) -> Rule | None:
        words = _words(name)
        for length in range(min(self._longest, len(words)), 0, -1):
            rule = self._rules.get(words[-length:])
            if rule is not None:
                return rule
        return None


def _words(name: str) -> tuple[str, ...]:
    return tuple(word.casefold() for word in _WORDS.findall(name))


def _rules(names: Iterable[str], option: str) -> set[tuple[str, ...]]:
    rules = {_words(name) for name in listed(names, option)}
    if () in rules:
        raise ConfigurationError(f"{option} must be a list of names, each with a letter or a digit")
    return rules


KEYS: Final = Keys()
"""The rules that hold unless an app gives its own."""
