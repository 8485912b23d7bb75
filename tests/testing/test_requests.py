"""The requests that tests send."""

from typing import get_args

import pytest
from chatkit.types import NonStreamingReq, StreamingReq
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.operation import Limits, operation_names, parse
from chatkit_prod.testing import chatkit_request, one_of_each, user_message


def test_there_is_one_request_of_every_type() -> None:
    types = {
        model.model_fields["type"].default for model in (*get_args(StreamingReq), *get_args(NonStreamingReq))
    }
    assert set(one_of_each()) == types == operation_names()


@pytest.mark.parametrize("name", one_of_each())
def test_each_is_valid_and_names_what_it_was_told_to(name: str) -> None:
    bodies = one_of_each(thread_id="thr_x", item_id="msg_x", attachment_id="atc_x", text="Grüße")
    operation = parse(bodies[name], Limits())
    assert operation.name == name
    assert operation.thread_id in ("thr_x", None)
    assert set(operation.item_ids) <= {"msg_x"}
    assert set(operation.attachment_ids) <= {"atc_x"}


@given(st.text(max_size=50), st.text(max_size=50))
def test_a_message_holds_any_text(text: str, quoted: str) -> None:
    body = chatkit_request(
        "threads.create", input=user_message(text, attachments=["atc_1"], quoted_text=quoted)
    )
    operation = parse(body, Limits())
    assert operation.attachment_ids == ("atc_1",)
    message = operation.request.model_dump()["params"]["input"]
    assert (message["content"][0]["text"], message["quoted_text"]) == (text, quoted)
