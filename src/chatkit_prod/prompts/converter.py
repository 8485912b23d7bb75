"""Thread items as a model's input, with what is not the user's own message in fences."""

import json
from typing import TYPE_CHECKING, cast

from agents.items import TResponseInputItem
from chatkit.agents import ThreadItemConverter
from chatkit.types import ClientToolCallItem, UserMessageItem, UserMessageTagContent

from chatkit_prod.errors import ConfigurationError
from chatkit_prod.options import named

from .fence import Fence

if TYPE_CHECKING:
    from openai.types.responses import ResponseInputTextParam
    from openai.types.responses.response_input_item_param import FunctionCallOutput


class FencingConverter(ThreadItemConverter):
    """A ChatKit converter that fences quoted texts, tags and the results of client tools.

    The user's own message is not fenced: it says what the user wants, and has the role of a user. Attachments are
    yours to read: return `untrusted(text, source="attachment")` from `attachment_to_message_content`.

    Args:
        fence: Makes the fences; one of its own if None.

    Raises:
        ConfigurationError: It is no `Fence`.
    """

    def __init__(self, *, fence: Fence | None = None) -> None:
        if fence is not None and not isinstance(fence, Fence):
            raise ConfigurationError(f"fence must be a Fence, not {named(fence)}")
        self._fence = fence or Fence()

    async def user_message_to_input(
        self,
        item: UserMessageItem,
        is_last_message: bool = True,  # noqa: FBT001, FBT002 - as ChatKit has it
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        """Convert a message; what it quotes stands in a fence."""
        if item.quoted_text:
            quoted = self._fence.untrusted(item.quoted_text, source="quote")
            item = item.model_copy(update={"quoted_text": quoted})
        return await super().user_message_to_input(item, is_last_message)

    async def tag_to_message_content(self, tag: UserMessageTagContent) -> "ResponseInputTextParam":
        """Convert a tag: its text and its data in a fence."""
        text = json.dumps({"text": tag.text, "data": tag.data}, ensure_ascii=False)
        return {"type": "input_text", "text": self._fence.untrusted(text, source="tag")}

    async def client_tool_call_to_input(
        self, item: ClientToolCallItem
    ) -> TResponseInputItem | list[TResponseInputItem] | None:
        """Convert a call of a client tool: its result in a fence."""
        converted = await super().client_tool_call_to_input(item)
        if not isinstance(converted, list):
            return converted
        call, result = converted
        output = cast("FunctionCallOutput", result)
        fenced = self._fence.untrusted(cast("str", output["output"]), source="tool")
        return [call, {**output, "output": fenced}]
