"""Every name that telemetry has: spans, attributes, metrics, log events. None stands anywhere else.

Those without a `chatkit.` in front are OpenTelemetry's (semantic conventions 1.44). The `gen_ai.*` ones
are written out because their conventions have left the package that used to hold them.
"""

from typing import Final

SCOPE: Final = "chatkit_prod"
"""The instrumentation scope of everything here."""

# ------------------------------------------------------------------------------------------------ attributes

HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"
PROTOCOL_VERSION: Final = "network.protocol.version"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
CLIENT_ADDRESS: Final = "client.address"
USER_AGENT: Final = "user_agent.original"
ERROR_TYPE: Final = "error.type"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
USER_ID: Final = "user.id"
USER_HASH: Final = "user.hash"
SESSION_ID: Final = "session.id"

CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""The thread."""
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
REQUEST_MODEL: Final = "gen_ai.request.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
AGENT_NAME: Final = "gen_ai.agent.name"
TOOL_NAME: Final = "gen_ai.tool.name"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"

OPERATION: Final = "chatkit.operation"
OUTCOME: Final = "chatkit.outcome"
REQUEST_ID: Final = "chatkit.request.id"
ATTACHMENT_ID: Final = "chatkit.attachment.id"
ITEM_ID: Final = "chatkit.item.id"
ITEM_TYPE: Final = "chatkit.item.type"
STORE_METHOD: Final = "chatkit.store.method"
STORE_CLASS: Final = "chatkit.store.class"
PAGE_LIMIT: Final = "chatkit.page.limit"
PAGE_ROWS: Final = "chatkit.page.rows"
STREAM_EVENTS: Final = "chatkit.stream.events"
CLIENT_EVENT: Final = "chatkit.client.event"

# ------------------------------------------------------------------------------------------------ headers

SESSION_HEADER: Final = b"chatkit-session"
"""The session of a page, as our browser module sends it: 32 hexadecimal digits."""

# ------------------------------------------------------------------------------------------------ metrics

REQUEST_DURATION: Final = "http.server.request.duration"
REQUESTS: Final = "chatkit.requests"
FIRST_EVENT: Final = "chatkit.stream.first_event.duration"
LONGEST_GAP: Final = "chatkit.stream.longest_gap"
ACTIVE_STREAMS: Final = "chatkit.stream.active"
EVENTS: Final = "chatkit.stream.events"
STORE_DURATION: Final = "chatkit.store.duration"
CLIENT_EVENTS: Final = "chatkit.client.events"

REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
"""Buckets of whole requests: those of the convention end at 10 s, where many answers of a model do not."""
WAIT_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120)
"""Buckets of what a user waits for: the first event, the next one."""
STORE_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Buckets of one store call."""

# ------------------------------------------------------------------------------------------------ log events

EXCEPTION_EVENT: Final = "exception"
REQUEST_EXCEPTION: Final = "http.server.request.exception"
ACCESS_EVENT: Final = "chatkit.access"
AUDIT_EVENT: Final = "chatkit.audit"
CLIENT_LOG: Final = "chatkit.client.log"
CLIENT_ERROR: Final = "chatkit.client.error"

# ------------------------------------------------------------------------------------------------ agents

FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GUARDRAIL_NAME: Final = "chatkit.guardrail.name"
GUARDRAIL_TRIGGERED: Final = "chatkit.guardrail.triggered"
OTHER: Final = "_OTHER"
"""The `error.type` of a failure whose exception nobody knows."""

# ------------------------------------------------------------------------------------------------ spans


def server_span(method: str) -> str:
    """Return the name of the span of a method of the server."""
    return f"chatkit.{method}"


def store_span(method: str) -> str:
    """Return the name of the span of a method of a store."""
    return f"store.{method}"


# ------------------------------------------------------------------------------------------------ the browser's half

CLIENT_CODE: Final = "chatkit.client.code"
CLIENT_DURATION: Final = "chatkit.client.duration"
"""Milliseconds, as the page has measured them."""
CLIENT_KIND: Final = "chatkit.client.kind"
CLIENT_OUTCOME: Final = "chatkit.client.outcome"

# ------------------------------------------------------------------------------------------------ records


def record_field(name: str) -> str:
    """Return the name of a field of our records that has no name of its own above."""
    return f"chatkit.{name}"
