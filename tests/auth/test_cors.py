"""What a page may send is asked before it is sent; what it may read is said by us, and not by the app."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from chatkit_prod.asgi import Message, RawHeaders, Scope
from chatkit_prod.auth.cors import answer_preflight, is_preflight, readable_by, refused_parts
from tests.servers import http_scope

PAGE = "https://app.example.com"
METHOD = (b"access-control-request-method", b"POST")


def preflight(
    *, method: str = "POST", headers: str = "content-type", is_private_network: bool = False
) -> Scope:
    sent = [
        (b"origin", PAGE.encode()),
        (b"access-control-request-method", method.encode("latin-1")),
        (b"access-control-request-headers", headers.encode("latin-1")),
    ]
    sent += [(b"access-control-request-private-network", b"true")] if is_private_network else []
    return http_scope(method="OPTIONS", headers=sent)


def answer(scope: Scope) -> Response:
    return answer_preflight(scope, PAGE, headers=["X-Session-Id"], max_age=60)


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [("OPTIONS", [METHOD], True), ("OPTIONS", [], False), ("POST", [METHOD], False)],
    ids=["preflight", "options", "post"],
)
def test_a_preflight_is_an_options_request_that_asks_for_a_method(
    method: str, headers: RawHeaders, expected: bool
) -> None:
    assert is_preflight(http_scope(method=method, headers=headers)) is expected


def test_a_page_may_send_what_chatkit_sends_and_what_was_added() -> None:
    response = answer(preflight(headers="authorization, chatkit-frame-instance-id, x-session-id"))
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-allow-credentials"] == "true"
    assert response.headers["access-control-allow-methods"] == "GET, POST"
    assert response.headers["access-control-max-age"] == "60"


REFUSED = {
    "method": (preflight(method="DELETE"), "method"),
    "lower case": (preflight(method="post"), "method"),
    "header": (preflight(headers="x-user-id"), "headers"),
    "star": (preflight(headers="*"), "headers"),
    "private network": (preflight(is_private_network=True), "private-network"),
    "all": (
        preflight(method="PUT", headers="x-user-id", is_private_network=True),
        "method, headers, private-network",
    ),
}


@pytest.mark.parametrize(("scope", "parts"), REFUSED.values(), ids=REFUSED.keys())
def test_a_preflight_that_asks_for_more_is_refused_and_says_what_it_was(scope: Scope, parts: str) -> None:
    response = answer(scope)
    assert response.status_code == 400
    assert refused_parts(response) == parts


text = st.text(st.characters(max_codepoint=255), max_size=40)


@given(text, text, st.booleans())
def test_the_refused_parts_are_fixed_words_and_hold_nothing_of_the_request(
    method: str, headers: str, is_private_network: bool
) -> None:
    response = answer(preflight(method=method, headers=headers, is_private_network=is_private_network))
    words = refused_parts(response).split(", ")
    assert (words == [""]) == (response.status_code == 200)
    assert set(words) <= {"", "method", "headers", "private-network"}


def test_a_page_may_read_what_we_say_whatever_the_app_says() -> None:
    theirs = [
        (b"Access-Control-Allow-Origin", b"*"),
        (b"access-control-expose-headers", b"x-secret"),
        (b"set-cookie", b"a=1"),
        (b"set-cookie", b"b=2"),
    ]
    message: Message = {"type": "http.response.start", "status": 200, "headers": theirs}
    before = deepcopy(message)
    assert readable_by(PAGE, message) == {
        "type": "http.response.start",
        "status": 200,
        "headers": [
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"access-control-allow-origin", PAGE.encode()),
            (b"access-control-allow-credentials", b"true"),
            (
                b"access-control-expose-headers",
                b"content-language, retry-after, www-authenticate, x-request-id",
            ),
        ],
    }
    assert message == before


def test_a_head_without_headers_gets_them() -> None:
    message = readable_by(PAGE, {"type": "http.response.start", "status": 200})
    assert (b"access-control-allow-origin", PAGE.encode()) in message["headers"]
