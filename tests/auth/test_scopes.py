"""Which scopes there are, and who has them."""

from typing import Any

import pytest

from chatkit_prod import ConfigurationError, Principal
from chatkit_prod.auth.scopes import require_scopes, scopes_of
from chatkit_prod.errors import InsufficientScopeError


def test_scopes_are_a_list_of_names_without_spaces_and_quotes() -> None:
    assert scopes_of(["read", "threads:write", "https://example.com/chat"]) == {
        "read",
        "threads:write",
        "https://example.com/chat",
    }
    wrong: list[Any] = ["read", [""], ["a b"], ['a"'], ["a\\"], ["é"], ["a\n"], [1], [None]]
    for scopes in wrong:
        with pytest.raises(ConfigurationError, match="scope"):
            scopes_of(scopes)


def test_who_has_every_scope_is_let_through_and_who_lacks_one_is_told_all_of_them() -> None:
    alice = Principal(issuer="idp", subject="alice", scopes=frozenset({"read", "more"}))
    require_scopes(alice, frozenset(), "Bearer")
    require_scopes(alice, frozenset({"read"}), "Bearer")
    with pytest.raises(InsufficientScopeError) as caught:
        require_scopes(alice, frozenset({"write", "read"}), 'ApiKey realm="x"')
    assert caught.value.principal is alice
    assert caught.value.headers == {
        "WWW-Authenticate": 'ApiKey realm="x", error="insufficient_scope", scope="read write"'
    }
