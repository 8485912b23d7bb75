"""What a request costs is read as the endpoint reads it, or the request is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.errors import ContentTooLargeError, InvalidRequestError
from chatkit_prod.limits.kind import PLAIN, kind_of
from chatkit_prod.operation import Limits, operation_names, parse
from chatkit_prod.testing import one_of_each

LIMITS = Limits()
MESSAGES = {
    "threads.create",
    "threads.add_user_message",
    "threads.add_structured_input",
    "threads.retry_after_item",
}


@pytest.mark.parametrize("name", one_of_each())
def test_every_type_is_streaming_where_the_endpoint_says_so(name: str) -> None:
    body = one_of_each()[name]
    kind = kind_of(body, max_values=1000)
    assert kind.streaming == parse(body, LIMITS).streaming
    assert kind.message == (name in MESSAGES)


def test_no_type_is_left_out() -> None:
    assert set(one_of_each()) == operation_names()


@given(st.permutations(["threads.list", "threads.create", "threads.delete"]), st.integers(0, 20))
def test_of_several_types_it_is_the_one_that_the_endpoint_takes(names: list[str], others: int) -> None:
    """A body that says two things is not a stream for the one, and none for the other."""
    params = '"params":{"thread_id":"t","input":{"content":[],"attachments":[],"inference_options":{}}}'
    more = "".join(f'"x{n}":{n},' for n in range(others))
    body = ("{" + more + "".join(f'"type":"{name}",' for name in names) + params + "}").encode()
    assert kind_of(body, max_values=1000).streaming == parse(body, LIMITS).streaming


def test_no_body_asks_for_nothing() -> None:
    assert kind_of(b"", max_values=1) is PLAIN


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"threads.create"',
        b"{}",
        b'{"type":1}',
        b'{"type":null}',
        b'{"type":"threads.unheard_of"}',
        b'{"type":"THREADS.CREATE"}',
        '{"type":"threads.create"}'.encode("utf-16"),
        b"\xef\xbb\xbf" + b'{"type":"threads.create"}',
        b'{"type":"threads.create"}{}',
        b'{"type":"threads.create"',
        b"\xff",
        b'{"type":"threads.list","x":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
    ids=range(15),
)
def test_what_nobody_can_tell_the_cost_of_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        kind_of(body, max_values=100_000)


def test_a_body_of_too_many_values_is_not_parsed() -> None:
    with pytest.raises(ContentTooLargeError):
        kind_of(b'{"type":"threads.list","x":[1,2,3]}', max_values=4)
