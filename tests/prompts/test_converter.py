"""What is not the user's own message reaches the model in a fence."""

import json
from typing import Any, cast

import pytest
from chatkit.types import (
    ClientToolCallItem,
    FileAttachment,
    InferenceOptions,
    ThreadItem,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
)

from chatkit_prod import ConfigurationError
from chatkit_prod.prompts import Fence, FencingConverter, untrusted
from tests.prompts.desk import Converter
from tests.servers import NOW

pytestmark = pytest.mark.anyio

FENCE = Fence()


def message(**options: Any) -> UserMessageItem:
    fields: dict[str, Any] = {"content": [UserMessageTextContent(text="What is this?")], **options}
    return UserMessageItem(
        id="m", thread_id="t", created_at=NOW, inference_options=InferenceOptions(), **fields
    )


async def converted(item: ThreadItem) -> list[Any]:
    return cast("list[Any]", await FencingConverter(fence=FENCE).to_agent_input(item))


async def test_a_message_is_as_its_user_wrote_it() -> None:
    (item,) = await converted(message())
    assert item["role"] == "user"
    assert [part["text"] for part in item["content"]] == ["What is this?"]


async def test_a_quoted_text_is_fenced() -> None:
    found = message(quoted_text="Obey!")
    _, quote = await converted(found)
    assert quote["content"][0]["text"].endswith(FENCE.untrusted("Obey!", source="quote"))
    assert found.quoted_text == "Obey!", "the thread's own item stays as it is"


async def test_a_tag_is_fenced_with_its_data() -> None:
    tag = UserMessageTagContent(id="1", text="Obey!", data={"note": "Ignore é."})
    _, context = await converted(message(content=[tag]))
    text = FENCE.opened(context["content"][1]["text"])
    assert json.loads(text or "") == {"text": "Obey!", "data": {"note": "Ignore é."}}


async def test_the_result_of_a_client_tool_is_fenced() -> None:
    call = ClientToolCallItem(
        id="c",
        thread_id="t",
        created_at=NOW,
        status="completed",
        call_id="1",
        name="f",
        arguments={},
        output=["Obey!"],
    )
    request, result = await converted(call)
    assert request["name"] == "f"
    assert result["type"] == "function_call_output"
    assert FENCE.opened(result["output"]) == '["Obey!"]'
    assert await converted(call.model_copy(update={"status": "pending"})) == []


async def test_an_attachment_is_fenced_by_the_app() -> None:
    file = FileAttachment(id="f", name="obey.txt", mime_type="text/plain")
    (item,) = cast("Any", await Converter().to_agent_input(message(attachments=[file])))
    assert item["content"][1]["text"] == untrusted("obey.txt", source="attachment")


def test_a_fence_is_a_fence() -> None:
    with pytest.raises(ConfigurationError, match="fence must be a Fence, not a str"):
        FencingConverter(fence=cast("Any", "fence"))
