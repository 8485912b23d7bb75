"""The tokens of the OpenAI Agents SDK, counted as its models answer."""

from typing import Any

from agents import Agent, ModelResponse, RunContextWrapper, RunHooks

from chatkit_prod.usage import add_tokens


class TokenHooks(RunHooks[Any]):
    """Count the tokens of every call of a model in a run: `Runner.run_streamed(agent, items, hooks=TokenHooks())`.

    An app with hooks of its own derives them from this, or calls `chatkit_prod.usage.add_tokens` in them. A call
    that is cancelled before its end has told nobody what it used, and is not counted.
    """

    async def on_llm_end(
        self,
        context: RunContextWrapper[Any],  # noqa: ARG002 - as the SDK has it
        agent: Agent[Any],  # noqa: ARG002 - the same
        response: ModelResponse,
    ) -> None:
        """Count one answer of a model."""
        add_tokens(response.usage.total_tokens)
