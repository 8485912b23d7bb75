"""The default context tells the server who asks and in which language, or which layer is missing."""

from gettext import NullTranslations

import pytest

from chatkit_prod import ConfigurationError, ContextFactory, Principal, RequestContext, RequestState
from tests.servers import http_scope

PRINCIPAL = Principal(issuer="https://idp.example.com", subject="alice", tenant="acme")


class Shouting(NullTranslations):
    """A catalog in upper case."""

    def gettext(self, message: str) -> str:
        return message.upper()

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return (msgid1 if n == 1 else msgid2).upper()

    def pgettext(self, context: str, message: str) -> str:
        return f"{context}: {message}".upper()


def _state() -> RequestState:
    return RequestState.seed(http_scope())[1]


def test_the_context_holds_what_the_layers_have_found_out() -> None:
    state = _state()
    state.principal, state.locale, state.translations = PRINCIPAL, "fr-CA", Shouting()
    context = RequestContext.of(state)
    assert context.principal is PRINCIPAL
    assert (context.user_id, context.tenant_id, context.locale) == ("alice", "acme", "fr-CA")
    assert context.request_id == state.request_id
    assert context.translate("hello") == "HELLO"
    assert [context.ntranslate("file", "files", n) for n in (1, 2)] == ["FILE", "FILES"]
    assert context.ptranslate("month", "may") == "MONTH: MAY"
    assert context.translations is state.translations


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("principal", "AuthMiddleware"),
        ("user_id", "AuthMiddleware"),
        ("tenant_id", "AuthMiddleware"),
        ("locale", "LocaleMiddleware"),
    ],
)
def test_a_context_without_a_layer_names_it_when_it_is_asked(name: str, layer: str) -> None:
    context = RequestContext.of(_state())
    with pytest.raises(ConfigurationError, match=f"put {layer} in front of the endpoint"):
        getattr(context, name)


@pytest.mark.parametrize(
    "name", ["principal", "user_id", "tenant_id", "locale", "request_id", "translations"]
)
def test_a_context_cannot_be_changed(name: str) -> None:
    with pytest.raises(AttributeError):
        setattr(RequestContext(), name, "other")


def test_without_a_catalog_texts_stay_as_they_are() -> None:
    context = RequestContext()
    assert context.translate("hello") == "hello"
    assert [context.ntranslate("file", "files", n) for n in (1, 2)] == ["file", "files"]
    assert context.ptranslate("month", "may") == "may"
    assert type(context.translations) is NullTranslations


def test_a_context_that_an_app_makes_by_hand_speaks_from_the_catalog_that_it_is_given() -> None:
    shouting = Shouting()
    context = RequestContext(locale="en", translations=shouting)
    assert context.translations is shouting
    assert context.translate("hello") == "HELLO"


def test_the_default_is_a_context_factory() -> None:
    assert isinstance(RequestContext.of, ContextFactory)
