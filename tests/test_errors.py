"""Every refusal has a status, a code and a text of its own, and repeats nothing that came in."""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from gettext import NullTranslations
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from chatkit.errors import CustomStreamError, ErrorCode, StreamError
from chatkit.store import NotFoundError
from hypothesis import example, given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.responses import Response

from chatkit_prod import encryption, errors, prompts, texts
from chatkit_prod.errors import (
    AppError,
    AuthenticationError,
    ContentTooLargeError,
    ForbiddenError,
    ForeignTokenError,
    InsufficientScopeError,
    InternalError,
    InvalidRequestError,
    InvalidTokenError,
    MalformedCredentialsError,
    MethodNotAllowedError,
    PersonalDataError,
    RateLimitedError,
    RefusedByAppError,
    RequestError,
    ResourceNotFoundError,
    UnavailableError,
    UnsupportedMediaTypeError,
    as_request_error,
    stack_of,
)
from chatkit_prod.refusal import problem


class French(NullTranslations):
    """A catalog that marks what it has translated, and keeps the plural forms of English."""

    def gettext(self, message: str) -> str:
        return f"fr: {message}"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"fr: {msgid1 if n == 1 else msgid2}"


ENGLISH, FRENCH = NullTranslations(), French()


def answer(error: RequestError, translations: NullTranslations = ENGLISH) -> Response:
    return problem(error, request_id="abc", translations=translations)


INVALID = "The request is not valid."
NO_SESSION = "Your session is no longer valid. Sign in again."
NOT_ALLOWED = "You are not allowed to do this."
FAILED = "Something went wrong. Try again."
BUSY = "There are too many requests right now. Try again in a moment."

EVERY = [
    pytest.param(InvalidRequestError(), 400, "invalid_request", INVALID, id="invalid"),
    pytest.param(MalformedCredentialsError("Bearer", "two"), 400, "invalid_request", INVALID, id="malformed"),
    pytest.param(
        AuthenticationError("Bearer"),
        401,
        "authentication_required",
        "Sign in to continue.",
        id="no credentials",
    ),
    pytest.param(InvalidTokenError("Bearer"), 401, "invalid_token", NO_SESSION, id="bad credentials"),
    pytest.param(
        ForeignTokenError("Bearer", "issuer"), 401, "invalid_token", NO_SESSION, id="foreign credentials"
    ),
    pytest.param(ForbiddenError(), 403, "forbidden", NOT_ALLOWED, id="forbidden"),
    pytest.param(InsufficientScopeError(["chat"]), 403, "insufficient_scope", NOT_ALLOWED, id="scope"),
    pytest.param(ResourceNotFoundError(), 404, "not_found", "This could not be found.", id="absent"),
    pytest.param(
        MethodNotAllowedError(), 405, "method_not_allowed", "This method is not allowed.", id="method"
    ),
    pytest.param(
        ContentTooLargeError("max_body_bytes"),
        413,
        "content_too_large",
        "This is too large to send.",
        id="too large",
    ),
    pytest.param(
        UnsupportedMediaTypeError(),
        415,
        "unsupported_media_type",
        "The request must be JSON.",
        id="media type",
    ),
    pytest.param(PersonalDataError(["EMAIL"]), 422, "personal_data", INVALID, id="personal data"),
    pytest.param(
        AppError(StreamError(ErrorCode.STREAM_ERROR)), 500, "stream.error", FAILED, id="stream error"
    ),
    pytest.param(RefusedByAppError(HTTPException(429)), 429, "refused", BUSY, id="by the app"),
    pytest.param(InternalError(), 500, "internal_error", FAILED, id="internal"),
    pytest.param(UnavailableError("jwks"), 503, "temporarily_unavailable", BUSY, id="unavailable"),
]


@pytest.mark.parametrize(("error", "status", "code", "text"), EVERY)
def test_a_refusal_is_a_problem_with_a_message_that_the_client_shows(
    error: RequestError, status: int, code: str, text: str
) -> None:
    response = answer(error, FRENCH)
    body = json.loads(bytes(response.body))
    assert response.status_code == body["status"] == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-request-id"] == body["request_id"] == "abc"
    assert response.headers["cache-control"] == "no-store"
    assert body["type"] == "about:blank"
    assert body["title"] == HTTPStatus(status).phrase
    assert body["code"] == code
    assert body["message"] == f"fr: {text}"
    assert error.text(ENGLISH) == text


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (AuthenticationError("Bearer"), {"WWW-Authenticate": "Bearer"}),
        (InvalidTokenError("Bearer"), {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
        (
            InvalidTokenError('Bearer realm="desk"'),
            {"WWW-Authenticate": 'Bearer realm="desk", error="invalid_token"'},
        ),
        (
            InsufficientScopeError(["chat", "files"], "DPoP"),
            {"WWW-Authenticate": 'DPoP error="insufficient_scope", scope="chat files"'},
        ),
        (
            InsufficientScopeError(["chat"], 'Bearer realm="desk"'),
            {"WWW-Authenticate": 'Bearer realm="desk", error="insufficient_scope", scope="chat"'},
        ),
        (
            MalformedCredentialsError('Bearer realm="desk"', "two headers"),
            {"WWW-Authenticate": 'Bearer realm="desk", error="invalid_request"'},
        ),
        (ForeignTokenError("Bearer", "issuer"), {"WWW-Authenticate": 'Bearer error="invalid_token"'}),
        (UnavailableError("jwks"), {"Retry-After": "10"}),
        (UnavailableError("jwks", retry_after=60), {"Retry-After": "60"}),
        (InternalError(), {}),
        (MethodNotAllowedError(), {"Allow": "POST"}),
        (MethodNotAllowedError("GET, HEAD"), {"Allow": "GET, HEAD"}),
        (UnsupportedMediaTypeError(), {"Accept-Post": "application/json"}),
        (RefusedByAppError(HTTPException(429, headers={"Retry-After": "5"})), {"Retry-After": "5"}),
        (RefusedByAppError(HTTPException(402)), {}),
        (ForbiddenError(), {}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_refusal_has_the_headers_that_its_status_asks_for(
    error: RequestError, headers: dict[str, str]
) -> None:
    assert error.headers == headers
    response = answer(error)
    assert {name: response.headers[name] for name in headers} == headers


@pytest.mark.parametrize(
    ("error", "members"),
    [
        (InvalidRequestError(), {}),
        (
            InvalidRequestError([{"loc": ["params"], "msg": "Field required"}]),
            {"errors": [{"loc": ["params"], "msg": "Field required"}]},
        ),
        (ContentTooLargeError("max_attachments"), {"limit": "max_attachments"}),
        (PersonalDataError({"PHONE": 2, "EMAIL": 1}), {"types": ["EMAIL", "PHONE"]}),
        (AppError(CustomStreamError("Non.", allow_retry=True)), {"allow_retry": True}),
        (ForbiddenError(), {}),
    ],
    ids=["invalid", "invalid with errors", "too large", "personal data", "custom", "none"],
)
def test_a_problem_has_the_members_of_its_class(error: RequestError, members: dict[str, object]) -> None:
    assert error.members == members
    body = json.loads(bytes(answer(error).body))
    assert {name: body[name] for name in members} == members


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidRequestError(), ""),
        (InvalidRequestError(reason="two cookies"), "two cookies"),
        (AuthenticationError("Bearer"), "no credentials"),
        (InvalidTokenError("Bearer"), "invalid"),
        (InvalidTokenError("Bearer", "expired"), "expired"),
        (ForeignTokenError("Bearer", "issuer"), "issuer"),
        (MalformedCredentialsError("Bearer", "two headers"), "two headers"),
        (ForbiddenError(), "forbidden"),
        (ForbiddenError("csrf"), "csrf"),
        (InsufficientScopeError(["chat"]), "scope"),
        (UnavailableError("jwks"), "jwks"),
        (InternalError(), "internal error"),
        (ResourceNotFoundError(), ""),
        (PersonalDataError(["EMAIL"]), "personal data"),
        (AppError(CustomStreamError("Non.")), ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_reason_of_a_refusal_is_for_operators_and_is_not_sent(error: RequestError, reason: str) -> None:
    assert error.reason == reason
    is_told = reason in {"invalid", "forbidden", "scope", ""}  # which is what the code says as well
    response = answer(error)
    assert is_told or reason not in bytes(response.body).decode() + repr(response.raw_headers)


# ------------------------------------------------------------------------------------------------ texts


def test_no_refusal_has_a_text_that_no_catalog_could_have() -> None:
    ours = [error for error in _subclasses(RequestError) if inspect.getmodule(error) is errors]
    found = {error.message for error in ours if "message" in vars(error)}
    assert texts.SIGN_IN in found
    assert found <= set(texts.ALL.values())


@pytest.mark.parametrize(
    ("limit", "count", "text"),
    [
        (
            "max_text_characters",
            100_000,
            "Your message is too long. It can have at most 100000 characters.",
        ),
        ("max_text_characters", 1, "Your message is too long. It can have at most 1 character."),
        ("max_attachments", 20, "A message can have at most 20 attachments."),
        ("max_attachments", 1, "A message can have at most 1 attachment."),
    ],
    ids=["text", "one character", "attachments", "one attachment"],
)
def test_who_is_over_a_limit_that_they_can_keep_is_told_how_much_it_allows(
    limit: str, count: int, text: str
) -> None:
    error = ContentTooLargeError(limit, count)
    assert error.text(ENGLISH) == text
    assert error.text(FRENCH) == f"fr: {text}"
    assert (error.limit, error.count, error.members) == (limit, count, {"limit": limit})


@pytest.mark.parametrize(
    "limit", ["max_body_bytes", "max_item_ids", "max_json_values", "max_audio_bytes", "of the app"]
)
def test_of_any_other_limit_the_client_alone_is_told_which_it_was(limit: str) -> None:
    error = ContentTooLargeError(limit)
    assert error.text(FRENCH) == "fr: This is too large to send."
    assert error.members == {"limit": limit}


def test_the_text_of_a_custom_error_is_shown_as_the_app_wrote_it_even_if_it_looks_like_ours() -> None:
    for message in ("Revenez demain.", texts.NOT_FOUND):
        refusal = as_request_error(CustomStreamError(message))
        body = json.loads(bytes(answer(refusal, FRENCH).body))
        assert (body["status"], body["code"], body["message"]) == (400, "custom", message)


BY_STATUS = {
    401: "Sign in to continue.",
    403: NOT_ALLOWED,
    404: "This could not be found.",
    410: "This could not be found.",
    413: "This is too large to send.",
    423: "This conversation is locked.",
    429: BUSY,
}


@pytest.mark.parametrize("status", range(400, 500))
def test_a_refusal_of_the_app_has_a_text_of_ours_for_its_status(status: int) -> None:
    refusal = as_request_error(HTTPException(status, "quoted input"))
    assert refusal.text(ENGLISH) == BY_STATUS.get(status, INVALID)
    assert refusal.text(FRENCH) == f"fr: {refusal.text(ENGLISH)}"


@pytest.mark.parametrize("name", ["Retry-After", "retry-after", "RETRY-AFTER"])
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1", "You are sending messages too quickly. Try again in 1 second."),
        ("5", "You are sending messages too quickly. Try again in 5 seconds."),
        ("060", "You are sending messages too quickly. Try again in 60 seconds."),
        ("999999", "You are sending messages too quickly. Try again in 999999 seconds."),
    ],
    ids=["one", "some", "with a zero in front", "the most"],
)
def test_who_is_too_fast_is_told_in_how_many_seconds_to_come_back(name: str, value: str, text: str) -> None:
    refusal = as_request_error(HTTPException(429, headers={name: value}))
    assert refusal.text(ENGLISH) == text
    assert refusal.text(FRENCH) == f"fr: {text}"
    assert refusal.headers == {name: value}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Wed, 21 Oct 2026 07:28:00 GMT",
        "soon",
        "-5",
        "+5",
        "1.5",
        " 5",
        "5 ",
        "5\n",
        "\u0665",
        "1_0",
        "1000000",
        "9" * 5000,
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_a_time_to_come_back_that_is_no_number_of_seconds_is_not_told(value: str) -> None:
    refusal = as_request_error(HTTPException(429, headers={"Retry-After": value}))
    assert refusal.text(FRENCH) == f"fr: {BUSY}"


@pytest.mark.parametrize(("status", "text"), [(403, NOT_ALLOWED), (418, INVALID)])
def test_a_time_to_come_back_belongs_to_who_is_too_fast(status: int, text: str) -> None:
    refusal = as_request_error(HTTPException(status, headers={"Retry-After": "5"}))
    assert refusal.text(ENGLISH) == text


# ------------------------------------------------------------------------------------------------ challenges


TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
PARAM = rf"({TOKEN})=({QUOTED}|{TOKEN})"


def params(challenge: str) -> dict[str, str]:
    """Parse one challenge by the grammar of RFC 9110 §11.3, and return its parameters."""
    assert re.fullmatch(rf"{TOKEN}(?: {PARAM}(?:, {PARAM})*)?", challenge), challenge
    found = re.findall(PARAM, challenge)
    assert len(dict(found)) == len(found)
    return {name: re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] == '"' else value for name, value in found}


VISIBLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))


def well_formed(scheme: str, realm: str | None) -> str:
    if realm is None:
        return scheme
    escaped = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'{scheme} realm="{escaped}"'


CHALLENGES = st.builds(well_formed, st.from_regex(TOKEN, fullmatch=True), st.none() | VISIBLE)


def sent(error: RequestError) -> str:
    """Return the challenge as it goes over the wire."""
    response = answer(error)
    (line,) = [value for name, value in response.raw_headers if name == b"www-authenticate"]
    return line.decode("ascii")


@settings(max_examples=100)
@given(CHALLENGES, st.lists(st.text()))
@example('Bearer realm="chatkit"', ['a" b\\', "c\r\nset-cookie: d=e", "é😀"])
def test_whatever_the_scopes_are_the_challenge_can_be_read_back(challenge: str, scopes: list[str]) -> None:
    found = params(sent(InsufficientScopeError(scopes, challenge)))
    assert found["error"] == "insufficient_scope"
    assert found["scope"] == re.sub(r"[^ -~]", "?", " ".join(scopes))
    assert found.get("realm") == params(challenge).get("realm")


@settings(max_examples=100)
@given(CHALLENGES)
def test_whatever_the_scheme_is_the_error_stands_behind_its_parameters(challenge: str) -> None:
    assert sent(AuthenticationError(challenge)) == challenge
    assert params(sent(InvalidTokenError(challenge))) == params(challenge) | {"error": "invalid_token"}
    malformed = MalformedCredentialsError(challenge, "two headers")
    assert params(sent(malformed)) == params(challenge) | {"error": "invalid_request"}


CHALLENGED: dict[str, Callable[[str], RequestError]] = {
    "no credentials": AuthenticationError,
    "bad credentials": InvalidTokenError,
    "malformed": lambda challenge: MalformedCredentialsError(challenge, "two headers"),
    "scope": lambda challenge: InsufficientScopeError(["chat"], challenge),
}


@pytest.mark.parametrize("refusal", CHALLENGED.values(), ids=CHALLENGED.keys())
@given(challenge=st.text())
@example(challenge="Badge\r\nset-cookie: a=b")
@example(challenge='Badge realm="Büro 😀"')
def test_whatever_an_app_gives_as_its_challenge_the_header_is_one_line_of_ascii(
    refusal: Callable[[str], RequestError], challenge: str
) -> None:
    assert sent(refusal(challenge)).isprintable()


# ------------------------------------------------------------------------------------------------ what apps raise


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (NotFoundError("thr_1"), ResourceNotFoundError),
        (StreamError(ErrorCode.STREAM_ERROR), AppError),
        (CustomStreamError("Non."), AppError),
        (HTTPException(403, "quoted input"), RefusedByAppError),
        (HTTPException(502, "quoted input"), InternalError),
        (HTTPException(302, "quoted input"), InternalError),
        (ValueError("quoted input"), InternalError),
    ],
    ids=repr,
)
def test_what_an_app_raises_stands_for_one_refusal_without_its_text(
    error: Exception, kind: type[RequestError]
) -> None:
    refusal = as_request_error(error)
    assert type(refusal) is kind
    assert "quoted input" not in bytes(answer(refusal).body).decode()


@pytest.mark.parametrize("value", ["5\r\nset-cookie: a=b", "é", "\0", 5], ids=ascii)
def test_a_header_of_the_app_that_may_not_stand_in_a_response_is_left_out(value: Any) -> None:
    error = HTTPException(429, headers={"retry-after": value, "x-fine": "1"})
    assert as_request_error(error).headers == {"x-fine": "1"}


def test_a_refusal_stands_for_itself() -> None:
    refusal = ForbiddenError()
    assert as_request_error(refusal) is refusal


def test_a_stream_error_of_a_code_to_come_keeps_it() -> None:
    refusal = as_request_error(StreamError("quota.exceeded"))  # type: ignore[arg-type]
    assert (refusal.status, refusal.code) == (500, "quota.exceeded")


@pytest.mark.parametrize("status", [400, 404, 418, 419, 430, 451, 499])
def test_every_refusal_of_the_app_keeps_its_status_also_one_without_a_name(status: int) -> None:
    refusal = as_request_error(HTTPException(status, detail="quoted input"))
    response = answer(refusal)
    assert response.status_code == status
    assert b"quoted input" not in bytes(response.body)


def test_a_text_that_is_no_unicode_is_still_a_problem() -> None:
    response = answer(as_request_error(CustomStreamError("half a \ud83d")))
    assert json.loads(bytes(response.body))["code"] == "custom"


def test_the_stack_of_an_error_says_where_and_what_and_never_why() -> None:
    quoted = "what a user wrote".replace("user", "person")

    def fail() -> None:
        try:
            dict[str, str]()[quoted]
        except KeyError as cause:
            raise ValueError(quoted) from cause

    with pytest.raises(ValueError, match=quoted) as caught:
        fail()
    text = stack_of(caught.value)
    assert text.endswith("builtins.ValueError")
    assert "test_errors.py" in text
    assert quoted not in text


def test_the_stack_of_an_error_shows_nothing_of_code_that_was_made_at_run_time(tmp_path: Path) -> None:
    upload = tmp_path / "what a person wrote.py"
    upload.write_text("patient = 'what a person wrote'; 1 / 0\n", "utf-8")
    code = compile(upload.read_text("utf-8"), str(upload), "exec")
    with pytest.raises(ZeroDivisionError) as caught:
        exec(code, {})  # noqa: S102 - as an interpreter of the app's would
    text = stack_of(caught.value)
    assert "test_errors.py" in text
    assert "<made at run time>" in text
    assert "what a person wrote" not in text


def test_the_stack_of_an_error_that_was_never_raised_is_its_type() -> None:
    assert stack_of(ForbiddenError()) == "chatkit_prod.errors.ForbiddenError"


def _subclasses(of: type[RequestError]) -> Iterator[type[RequestError]]:
    for child in of.__subclasses__():
        yield child
        yield from _subclasses(child)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "You are sending messages too quickly. Try again in 1 second."),
        (120, "You are sending messages too quickly. Try again in 120 seconds."),
        (121, "You have reached a limit. Try again in 3 minutes."),
        (7200, "You have reached a limit. Try again in 120 minutes."),
        (7201, "You have reached a limit. Try again in 3 hours."),
        (86400, "You have reached a limit. Try again in 24 hours."),
        (None, "There are too many requests right now. Try again in a moment."),
    ],
)
def test_who_has_reached_a_limit_is_told_when_to_come_back(seconds: int | None, text: str) -> None:
    assert RateLimitedError("messages", seconds).text(NullTranslations()) == text


def test_the_drawn_tree_is_the_tree() -> None:
    drawn = set(re.findall(r"\b\w+Error\b", (errors.__doc__ or "").split("The text that")[0]))
    modules = (errors, encryption.errors, prompts.errors)
    ours = {found.__name__ for found in _subclasses(RequestError) if inspect.getmodule(found) in modules}
    foreign = {"ValueError", "StreamError"}
    assert drawn - foreign == {*ours, "RequestError", "ConfigurationError"}
