"""Only what was there before a request can be trusted in it."""

from typing import Any, cast

import pytest
from chatkit.agents import AgentContext

from chatkit_prod import ConfigurationError, RequestContext, RequestState
from chatkit_prod.prompts import TrustedChoice, TrustedSetting, user_locale
from tests.prompts.desk import PROMPT, request

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("text", ["", None, 1, b"bytes", TrustedSetting("x")], ids=repr)
def test_a_setting_is_a_text_that_is_not_empty(text: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be a text, and not empty"):
        TrustedSetting(text)


def test_a_setting_does_not_show_its_text() -> None:
    assert repr(TrustedSetting("the name of a customer")) == "TrustedSetting(...)"


async def test_within_a_request_nothing_becomes_trusted() -> None:
    async with request():
        with pytest.raises(ConfigurationError, match="a TrustedSetting must be made at start-up"):
            TrustedSetting("the title of a thread")
        with pytest.raises(ConfigurationError, match="a TrustedChoice must be made at start-up"):
            TrustedChoice({"en": "the title of a thread"}, by=user_locale)
    TrustedSetting("afterwards")


@pytest.mark.parametrize("texts", [{}, None, ["English"], {"en": ""}, {"en": None}], ids=repr)
def test_a_choice_is_among_texts(texts: Any) -> None:
    with pytest.raises(ConfigurationError):
        TrustedChoice(texts, by=user_locale)


def test_a_choice_needs_to_know_how() -> None:
    with pytest.raises(ConfigurationError, match="by must be a function"):
        TrustedChoice({"en": "English"}, by=cast("Any", "en"))


@pytest.mark.parametrize("key", ["fr", "English", "", None, 1, ["en"]], ids=repr)
def test_a_choice_of_what_is_not_there_fails_without_saying_what_was_asked_for(key: Any) -> None:
    choice = TrustedChoice({"en": "English", "de": "German"}, by=lambda _: key)
    with pytest.raises(ConfigurationError, match=r"it has some for en, de$"):
        choice.of(None)


def test_a_choice_does_not_change_with_the_mapping_it_was_made_of() -> None:
    texts = {"en": TrustedSetting("English")}
    choice = TrustedChoice(texts, by=lambda _: "en")
    texts["en"] = TrustedSetting("Latin")
    assert choice.of(None).text == "English"


async def test_the_locale_is_that_of_the_context_of_an_agent_or_of_the_request() -> None:
    context = RequestContext(locale="de")
    assert user_locale(context) == "de"
    assert user_locale(AgentContext[Any].model_construct(request_context=context)) == "de"
    async with request("fr"):
        assert user_locale(None) == "fr"
        assert user_locale(context) == "de"
    assert RequestState.current() is None
    with pytest.raises(ConfigurationError, match="the run has no locale"):
        user_locale(None)


def test_a_context_without_a_negotiated_locale_says_which_layer_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="LocaleMiddleware"):
        PROMPT.render(RequestContext())
