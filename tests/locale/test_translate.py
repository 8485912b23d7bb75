"""A text of the app's in the language of the user whom it is for."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from gettext import NullTranslations
from pathlib import Path
from typing import Any

import pytest
from agents import RunContextWrapper
from agents.tool_context import ToolContext
from chatkit.agents import AgentContext
from chatkit.errors import CustomStreamError
from chatkit.types import ThreadMetadata
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError, RequestContext, RequestState
from chatkit_prod.locale import Translations, lazy_gettext, localized_error, ntranslate, ptranslate, translate
from chatkit_prod.testing import MemoryStore
from chatkit_prod.texts import Plural
from tests.locale.folders import compiled
from tests.servers import http_scope

pytestmark = pytest.mark.anyio

HELLO = "Hello, {name}!"
ORDERS = Plural("{count} order", "{count} orders")
FIRST_ORDER = Plural("your first order", "your {count} orders")


def catalog(directory: Path, folder: str, hello: str, orders: tuple[str, str]) -> NullTranslations:
    compiled(
        directory,
        folder,
        {"Looking up…": f"… ({folder})", HELLO: hello, (ORDERS.one, ORDERS.other): orders},
        meanings={("verb", "open {what}"): f"open {{what}} ({folder})"},
    )
    return Translations(directory).catalog(folder)


@pytest.fixture(scope="module")
def french(tmp_path_factory: pytest.TempPathFactory) -> NullTranslations:
    return catalog(
        tmp_path_factory.mktemp("fr"), "fr", "Bonjour, {name} !", ("{count} commande", "{count} commandes")
    )


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> NullTranslations:
    return catalog(
        tmp_path_factory.mktemp("de"), "de", "Hallo, {name}!", ("eine Bestellung", "{count} Bestellungen")
    )


def current(translations: NullTranslations) -> RequestState:
    _, state = RequestState.seed(http_scope())
    state.translations = translations
    return state


# ------------------------------------------------------------------------------------------------ whom it is for


class OwnContext:
    """A context of the app's own.

    Args:
        translations: What it may have.
    """

    def __init__(self, translations: object) -> None:
        self.translations = translations


class Holder:
    """Holds another context, as an app may do it.

    Args:
        context: The other one.
    """

    def __init__(self, context: object) -> None:
        self.context = context


def agent_context(context: Any) -> AgentContext[Any]:
    thread = ThreadMetadata(id="thr_1", created_at=datetime(2026, 1, 2, tzinfo=UTC))
    return AgentContext(thread=thread, store=MemoryStore(), request_context=context)


def tool_context(context: Any) -> ToolContext[Any]:
    return ToolContext(context, tool_name="tool", tool_call_id="call_1", tool_arguments="{}")


def of_request(translations: NullTranslations) -> RequestContext:
    return RequestContext(translations=translations)


CONTEXTS: dict[str, Callable[[NullTranslations], object]] = {
    "RequestContext": of_request,
    "AgentContext": lambda found: agent_context(of_request(found)),
    "run context": lambda found: RunContextWrapper(of_request(found)),
    "run context of an AgentContext": lambda found: RunContextWrapper(agent_context(of_request(found))),
    "tool context of an AgentContext": lambda found: tool_context(agent_context(of_request(found))),
    "own context": OwnContext,
    "AgentContext of an own context": lambda found: agent_context(OwnContext(found)),
    "tool context of an own context that holds a RequestContext": lambda found: tool_context(
        agent_context(Holder(of_request(found)))
    ),
}
EVERY_CONTEXT = pytest.mark.parametrize("make", CONTEXTS.values(), ids=CONTEXTS)


@EVERY_CONTEXT
def test_every_context_of_a_tool_says_whom_it_is_for(
    make: Callable[[NullTranslations], object], french: NullTranslations
) -> None:
    assert translate(make(french), "Looking up…") == "… (fr)"


@EVERY_CONTEXT
def test_the_context_counts_before_the_current_request(
    make: Callable[[NullTranslations], object], french: NullTranslations, german: NullTranslations
) -> None:
    with current(german).as_current():
        assert translate(make(french), "Looking up…") == "… (fr)"


WITHOUT = pytest.mark.parametrize(
    "context",
    [
        None,
        {"user": "alice"},
        "fr",
        OwnContext(None),
        OwnContext({"Looking up…": "Recherche…"}),
        RunContextWrapper(None),
        RunContextWrapper(agent_context(None)),
        Holder(Holder(Holder(Holder(Holder(None))))),
    ],
    ids=[
        "None",
        "dict",
        "text",
        "own context without translations",
        "own context with something else of that name",
        "run context of nothing",
        "run context of an AgentContext of nothing",
        "many wrappers",
    ],
)


@WITHOUT
def test_a_context_without_translations_stands_for_the_current_request(
    context: object, german: NullTranslations
) -> None:
    with current(german).as_current():
        assert translate(context, "Looking up…") == "… (de)"
        assert ntranslate(context, *ORDERS, 2) == "2 Bestellungen"
        assert ptranslate(context, "verb", "open {what}", what="it") == "open it (de)"


@WITHOUT
def test_without_a_request_it_is_a_configuration_error(context: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"has no gettext translations .* no request is being answered"
    ):
        translate(context, "Looking up…")


def test_the_error_does_not_show_what_is_in_the_context() -> None:
    with pytest.raises(ConfigurationError, match=r"^a str has no gettext translations") as caught:
        translate("4711 Private Road", "Looking up…")
    assert "4711" not in str(caught.value)


def test_contexts_that_hold_each_other_come_to_an_end() -> None:
    endless = Holder(None)
    endless.context = endless
    with pytest.raises(ConfigurationError):
        translate(endless, "Looking up…")


async def test_requests_at_the_same_time_are_each_answered_in_their_language(
    french: NullTranslations, german: NullTranslations
) -> None:
    met = asyncio.Barrier(2)

    async def answered(translations: NullTranslations) -> list[str]:
        with current(translations).as_current():
            first = translate(None, "Looking up…")
            await met.wait()
            return [first, translate(None, "Looking up…"), str(localized_error(HELLO, name="Zoë").message)]

    answers = [*await asyncio.gather(answered(french), answered(german))]
    assert answers == [
        ["… (fr)", "… (fr)", "Bonjour, Zoë !"],
        ["… (de)", "… (de)", "Hallo, Zoë!"],
    ]


# ------------------------------------------------------------------------------------------------ params


@pytest.mark.parametrize(
    "name",
    ["{evil}", "{0.__class__}", "{name}", "{{", "}", "%s", "%(name)s", "", "Zoë\x00", "{name.__class__.__init__}"],
)  # fmt: skip
def test_a_param_is_put_in_as_it_is(name: str, french: NullTranslations) -> None:
    assert translate(of_request(french), HELLO, name=name) == f"Bonjour, {name} !"
    assert ntranslate(of_request(french), "{n} of {name}", "{n} of {name}s", 2, name=name) == f"2 of {name}s"
    assert ptranslate(of_request(french), "verb", "open {what}", what=name) == f"open {name} (fr)"


@given(st.text())
def test_any_param_at_all_is_put_in_as_it_is(name: str) -> None:
    assert translate(of_request(NullTranslations()), HELLO, name=name) == f"Hello, {name}!"


def test_a_param_may_be_called_like_an_argument(french: NullTranslations) -> None:
    text = "{context} {message} {singular}"
    assert translate(of_request(french), text, context=1, message=2, singular=3) == "1 2 3"


def test_a_param_that_the_text_does_not_name_is_left_out(french: NullTranslations) -> None:
    assert translate(of_request(french), HELLO, name="Zoë", user_id="u_1") == "Bonjour, Zoë !"


def test_without_params_braces_are_only_braces() -> None:
    assert translate(of_request(NullTranslations()), "Type {name} or {{}}") == "Type {name} or {{}}"


def test_a_param_that_the_code_forgets_is_an_error_of_the_code(
    french: NullTranslations, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyError, match="name"):
        translate(of_request(NullTranslations()), HELLO, other="Zoë")
    assert caplog.records == []
    with pytest.raises(KeyError, match="name"):
        translate(of_request(french), HELLO, other="Zoë")


BAD = {
    "another name": "Bonjour, {nom} !",
    "one name more": "Bonjour, {name} {surname} !",
    "no name": "Bonjour !",
    "a number": "Bonjour, {0} !",
    "an empty name": "Bonjour, {} !",
    "an attribute": "Bonjour, {name.__class__} !",
    "an item": "Bonjour, {name[0]} !",
    "an open brace": "Bonjour, {name !",
    "a brace too many": "Bonjour, {name}} !",
    "a conversion that is none": "Bonjour, {name!x} !",
    "a conversion": "Bonjour, {name!r} !",
    "a width": "Bonjour, {name:>99999999} !",
    "the value as a width": "Bonjour, {name:{name}} !",
    "braces in braces": "Bonjour, " + "{name:" * 3000 + "}" * 3000,
    "a format of a number": "Bonjour, {name:d} !",
    "a format with a name": "Bonjour, {name:{width}} !",
    "a format with an item": "Bonjour, {name:{name[x]}} !",
    "a format with an attribute": "Bonjour, {name:{name.absent}} !",
}


@pytest.mark.parametrize("translation", BAD.values(), ids=BAD)
def test_a_translation_that_does_not_fit_is_logged_without_the_values_and_the_text_in_the_code_stands(
    translation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path, "fr", {HELLO: translation})
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert translate(context, HELLO, name="4711 Private Road") == "Hello, 4711 Private Road!"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, f"a translation does not fit its text: {HELLO}")
    ]
    assert "4711" not in caplog.text


@pytest.mark.parametrize(
    "translation", ["{name}, bonjour", "{name} {name}", "{{{name}}}"],
    ids=["elsewhere", "twice", "in braces"],
)  # fmt: skip
def test_a_translation_may_put_its_params_elsewhere(
    translation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path, "fr", {HELLO: translation})
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert translate(context, HELLO, name="Zoë") == translation.format(name="Zoë")
    assert caplog.records == []


class Leaky:
    """A value whose format is what it is told, as that of a date is."""

    secret = "4711"

    def __format__(self, spec: str) -> str:
        return spec


@pytest.mark.parametrize("translation", ["{name.secret}", "{name:{name.secret}}"], ids=["name", "format"])
def test_a_translation_cannot_look_into_a_param(
    translation: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path, "fr", {"{name:short}": translation})
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert translate(context, "{name:short}", name=Leaky()) == "short"
    assert "4711" not in caplog.text


# ------------------------------------------------------------------------------------------------ numbers


@pytest.mark.parametrize(("count", "text"), [(0, "0 commandes"), (1, "1 commande"), (2, "2 commandes")])
def test_a_number_has_the_plural_form_of_the_language(
    count: int, text: str, french: NullTranslations
) -> None:
    context = of_request(french)
    assert translate(context, ORDERS, count=count) == text
    assert ntranslate(context, ORDERS.one, ORDERS.other, count) == text


@pytest.mark.parametrize(("count", "text"), [(1, "1 day"), (2, "2 days")])
def test_a_number_without_a_translation_is_in_the_language_of_the_code(count: int, text: str) -> None:
    context = of_request(NullTranslations())
    assert translate(context, Plural("{count} day", "{count} days"), count=count) == text
    assert ntranslate(context, "{n} day", "{n} days", count) == text


def test_one_form_may_do_without_the_number(
    german: NullTranslations, caplog: pytest.LogCaptureFixture
) -> None:
    texts = [translate(of_request(german), ORDERS, count=count) for count in (1, 2)]
    assert texts == ["eine Bestellung", "2 Bestellungen"]
    assert caplog.records == []


def test_a_translation_may_count_where_the_text_in_the_code_does_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(
        tmp_path, "fr", {(FIRST_ORDER.one, FIRST_ORDER.other): ("{count} commande", "{count} commandes")}
    )
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert translate(context, FIRST_ORDER, count=1) == "1 commande"
    assert caplog.records == []


@pytest.mark.parametrize(("count", "text"), [(1, "1 order"), (3, "3 orders")])
def test_a_plural_form_that_does_not_fit_gives_the_text_in_the_code(
    count: int, text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(tmp_path, "fr", {(ORDERS.one, ORDERS.other): ("{nombre} commande", "{nombre} commandes")})
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert translate(context, ORDERS, count=count) == text
    assert len(caplog.records) == 1


def test_a_plural_without_its_number_is_an_error_of_the_code(french: NullTranslations) -> None:
    for params in ({}, {"n": 3}, {"count": "3"}):
        with pytest.raises(ConfigurationError, match="count="):
            translate(of_request(french), ORDERS, **params)


@pytest.mark.parametrize("message", [None, 1, lazy_gettext("Hello, {name}!")], ids=["none", "number", "lazy"])
def test_a_message_that_is_no_text_is_an_error_of_the_code(message: Any, french: NullTranslations) -> None:
    with pytest.raises(ConfigurationError, match="must be a text or a Plural"):
        translate(of_request(french), message)


@pytest.mark.parametrize("n", [float("inf"), float("nan"), "3"], ids=repr)
def test_a_number_that_is_not_whole_is_put_into_the_text_in_the_code(
    n: Any, french: NullTranslations
) -> None:
    assert ntranslate(of_request(french), "{n} thing", "{n} things", n) == f"{n} things"


def test_a_plural_rule_that_fails_gives_the_text_in_the_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    compiled(
        tmp_path,
        "fr",
        {("{n} day", "{n} days"): ("{n} jour", "{n} jours")},
        plural_forms="nplurals=2; plural=1/(n-20);",
    )
    context = of_request(Translations(tmp_path).catalog("fr"))
    assert ntranslate(context, "{n} day", "{n} days", 20) == "20 days"
    assert "no plural form was found for: {n} days" in caplog.text


def test_no_text_has_no_translation(french: NullTranslations) -> None:
    context = of_request(french)
    assert translate(context, "") == context.translate("") == ""


def test_a_text_has_the_meaning_that_is_asked_for(french: NullTranslations) -> None:
    context = of_request(french)
    assert ptranslate(context, "verb", "open {what}", what="it") == "open it (fr)"
    assert ptranslate(context, "adjective", "open {what}", what="it") == "open it"


# ------------------------------------------------------------------------------------------------ errors


def test_an_error_is_in_the_language_of_the_request(french: NullTranslations) -> None:
    with current(french).as_current():
        error = localized_error(HELLO, name="{evil}")
        counted = localized_error(ORDERS, count=2)
    assert isinstance(error, CustomStreamError)
    assert (error.message, error.allow_retry) == ("Bonjour, {evil} !", False)
    assert counted.message == "2 commandes"


def test_outside_of_a_request_an_error_is_as_in_the_code(french: NullTranslations) -> None:
    state = current(french)
    with state.as_current():
        pass
    assert localized_error(HELLO, name="Zoë").message == "Hello, Zoë!"
    assert localized_error(ORDERS, count=1).message == "1 order"


@pytest.mark.parametrize("allow_retry", [True, False])
def test_an_error_may_allow_another_try(allow_retry: bool) -> None:
    assert localized_error("Try again", allow_retry=allow_retry).allow_retry is allow_retry
