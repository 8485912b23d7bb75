"""What this library promises, and the tests that hold it to that.

One entry for every sentence of the production guide of openai/chatkit-python that asks for something
(`docs/guides/prepare-your-app-for-production.md`, by heading and line), and one for every rule of a
standard that the code claims to follow. An entry is met by tests, or open until a concern meets it.
`test_requirements.py` keeps the list honest.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Concern = Literal[
    "access", "auth", "encryption", "launch", "locale", "pii", "prompts", "retention", "tracing"
]

CONCERNS: tuple[str, ...] = get_args(Concern)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One promise.

    Args:
        id: A word for people to point at.
        source: Who asks for it, and where.
        behaviour: What holds, in one sentence.
        met_by: The tests that show it, as `path::name`.
        open: The concern that will meet it.
    """

    id: str
    source: str
    behaviour: str
    met_by: tuple[str, ...] = ()
    open: Concern | None = None


HEADINGS = {
    1: "Prepare your app for production",
    12: "Localize prompts, UI copy, and tool output",
    85: "Monitor logs and errors",
    89: "Capture client logs",
    156: "Monitor your ChatKit endpoint",
    166: "Security and authentication",
    181: "Authenticate your ChatKit endpoint",
    225: "Handle PII and data retention",
    233: "Domain keys",
}
"""The headings of the guide, by line."""


def guide(line: int) -> str:
    """Return where in the guide a sentence stands."""
    return f"guide, {HEADINGS[max(start for start in HEADINGS if start <= line)]}, line {line}"


OVERVIEW = (
    Requirement(
        "GUIDE-LOCALE",
        guide(5),
        "Prompts, system messages and tool output follow the user's language.",
        open="locale",
    ),
    Requirement(
        "GUIDE-CORRELATE",
        guide(6),
        "A request continues the trace of its caller, and its id stands on the response and in the record.",
        (
            "tests/tracing/test_middleware.py::test_the_span_continues_the_trace_of_the_caller",
            "tests/tracing/test_middleware.py::test_the_request_id_is_there_once_and_is_the_one_of_the_record",
        ),
    ),
    Requirement(
        "GUIDE-REVIEW",
        guide(7),
        "An endpoint without an authenticator is not built unless somebody writes out that it is insecure.",
        (
            "tests/test_stack.py::test_no_authenticator_is_refused",
            "tests/test_stack.py::test_insecure_written_out_lets_everybody_in_as_one_user",
        ),
    ),
    Requirement(
        "GUIDE-HOSTNAMES",
        guide(8),
        "Domain keys and the list of allowed origins are one and the same list.",
        open="auth",
    ),
    Requirement(
        "GUIDE-CHECKLIST",
        guide(10),
        "Every recommendation of the guide can be checked by a command.",
        open="launch",
    ),
)

LOCALE = (
    Requirement(
        "LOCALE-FLOW",
        guide(14),
        "The language of a request reaches the context of the server and of its tools.",
        (
            "tests/test_stack.py::test_the_context_of_the_server_holds_what_every_layer_found_out",
            "tests/examples/test_support_desk.py::test_a_tool_tells_its_progress_and_its_result_in_the_users_language",
        ),
    ),
    Requirement(
        "LOCALE-FLOW-PROMPT",
        guide(14),
        "The language of a request reaches the prompt of the model.",
        open="locale",
    ),
    Requirement(
        "LOCALE-SINGLE",
        guide(16),
        "A request has exactly one language, and the response names it.",
        (
            "tests/locale/test_middleware.py::test_the_negotiated_language_is_in_the_state_and_on_the_response",
        ),
    ),
    Requirement(
        "LOCALE-BROWSER",
        guide(18),
        "A whole list of languages, as browsers send it, is understood.",
        (
            "tests/locale/test_negotiate.py::test_the_best_supported_tag_answers_the_header",
            "tests/locale/test_middleware.py::test_every_header_of_that_name_counts",
        ),
    ),
    Requirement(
        "LOCALE-PICKER",
        guide(19),
        "A page shows how its own choice of language is handed to ChatKit.",
        open="launch",
    ),
    Requirement(
        "LOCALE-HEADER",
        guide(21),
        "Any value of `Accept-Language` at all leads to a language that the app supports.",
        (
            "tests/locale/test_negotiate.py::test_any_text_at_all_gives_a_supported_tag",
            "tests/locale/test_middleware.py::test_any_bytes_at_all_give_a_supported_language",
        ),
    ),
    Requirement(
        "LOCALE-SUPPORTED",
        guide(25),
        "An app lists the languages that it supports and gets them back as it spells them.",
        (
            "tests/locale/test_negotiate.py::test_the_answer_is_spelt_as_the_app_spells_it",
            "tests/locale/test_negotiate.py::test_a_list_that_cannot_work_is_refused_at_construction",
        ),
    ),
    Requirement(
        "LOCALE-DEFAULT",
        guide(25),
        "An app names the language for users whom none of them suits.",
        (
            "tests/locale/test_negotiate.py::test_a_default_of_the_apps_own_is_used_where_nothing_fits",
            "tests/test_stack.py::test_the_default_locale_is_passed_on",
        ),
    ),
    Requirement(
        "LOCALE-TOOLS",
        guide(26),
        "Tool output is in the user's language by way of the app's own catalogs.",
        open="locale",
    ),
    Requirement(
        "LOCALE-ERRORS",
        guide(26),
        "Every text of ours that a user sees is in every language that ChatKit itself speaks.",
        open="locale",
    ),
    Requirement(
        "LOCALE-CONTEXT",
        guide(28),
        "The context of a request holds the user and the language.",
        (
            "tests/test_context.py::test_the_context_holds_what_the_layers_have_found_out",
            "tests/test_stack.py::test_the_context_of_the_server_holds_what_every_layer_found_out",
        ),
    ),
    Requirement(
        "LOCALE-RENDER",
        guide(40),
        "A tool renders a text through its context with the app's gettext catalogs.",
        open="locale",
    ),
    Requirement(
        "LOCALE-CATALOGS",
        guide(54),
        "Catalogs are loaded once, are found for a regional tag too, and no path comes from a header.",
        open="locale",
    ),
    Requirement(
        "LOCALE-FALLBACK",
        guide(61),
        "A text without a translation is shown as it is.",
        ("tests/test_context.py::test_without_a_catalog_texts_stay_as_they_are",),
    ),
    Requirement(
        "LOCALE-TOOL-CONTEXT",
        guide(71),
        "A tool reads the language from its request context.",
        (
            "tests/examples/test_support_desk.py::test_a_tool_tells_its_progress_and_its_result_in_the_users_language",
        ),
    ),
    Requirement(
        "LOCALE-PROGRESS",
        guide(73),
        "The progress that a tool reports is in the user's language.",
        (
            "tests/examples/test_support_desk.py::test_a_tool_tells_its_progress_and_its_result_in_the_users_language",
        ),
    ),
    Requirement(
        "LOCALE-TOOL-ERRORS",
        guide(79),
        "An error that a tool reports to the user is in the user's language.",
        open="locale",
    ),
    Requirement(
        "LOCALE-PROMPT",
        guide(83),
        "One trusted line of the prompt tells the model which language to answer in.",
        open="locale",
    ),
)

MONITORING = (
    Requirement(
        "MONITOR-WHAT-WENT-WRONG",
        guide(87),
        "A failed request can be found by its user and its time, and says what kind of failure it was.",
        (
            "tests/tracing/test_middleware.py::test_the_record_of_a_request_answers_who_did_what_and_how_it_ended",
            "tests/tracing/test_middleware.py::test_an_error_inside_a_200_stream_is_an_error_of_the_span",
            "tests/tracing/test_middleware.py::test_an_exception_behind_an_error_has_its_type_on_the_span",
        ),
    ),
    Requirement(
        "MONITOR-HEALTHY",
        guide(87),
        "Metrics tell whether requests are healthy right now.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-FORWARD",
        guide(91),
        "The page's log and error events reach the telemetry of the server.",
        open="tracing",
    ),
    Requirement("CLIENT-USER", guide(93), "An event of the page is tagged with its user.", open="tracing"),
    Requirement(
        "CLIENT-SESSION",
        guide(94),
        "An event of the page is tagged with its session or request.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-THREAD", guide(95), "An event of the page is tagged with its thread.", open="tracing"
    ),
    Requirement(
        "CLIENT-REACT",
        guide(97),
        "A React page hands the options for logs and errors over in one line.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-NO-CONTENT",
        guide(114),
        "No message text and no tool argument leaves the page as telemetry.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-ELEMENT",
        guide(130),
        "A page with the web component attaches the same telemetry to its events.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-FIELDS",
        guide(152),
        "Only allow-listed fields of an event of the page are forwarded.",
        open="tracing",
    ),
    Requirement(
        "CLIENT-SCRUB",
        guide(152),
        "What is forwarded of an event of the page is scrubbed of personal data.",
        open="pii",
    ),
    Requirement(
        "SERVER-CORRELATE",
        guide(158),
        "The record of a request carries the id that the client has seen on the response.",
        ("tests/tracing/test_middleware.py::test_the_request_id_is_there_once_and_is_the_one_of_the_record",),
    ),
    Requirement(
        "SERVER-REQUEST",
        guide(160),
        "Every request leaves one record with its path, method, user and thread, also a thread that it made.",
        (
            "tests/tracing/test_middleware.py::test_the_record_of_a_request_answers_who_did_what_and_how_it_ended",
            "tests/tracing/test_middleware.py::test_no_path_and_no_method_can_write_lines_or_fields_of_its_own",
        ),
    ),
    Requirement("SERVER-PROCESS", guide(161), "Every call of the server has a span.", open="tracing"),
    Requirement("SERVER-STORE", guide(161), "Every call of the store has a span.", open="tracing"),
    Requirement("SERVER-MODEL", guide(162), "Every call of a model provider has a span.", open="tracing"),
    Requirement(
        "SERVER-TOOLS", guide(163), "An error in a tool is on the trace with its type.", open="tracing"
    ),
    Requirement(
        "SERVER-BUSINESS",
        guide(163),
        "An error of the app's own code is in the log and on the span, by type and place, without its text.",
        (
            "tests/test_driver.py::test_an_exception_behind_the_first_event_becomes_one_error_event_and_a_clean_end",
            "tests/test_errors.py::test_the_stack_of_an_error_says_where_and_what_and_never_why",
            "tests/tracing/test_middleware.py::test_an_exception_of_the_app_is_an_error_and_goes_on_to_the_server",
        ),
    ),
)

SECURITY = (
    Requirement(
        "AUTH-PRIVILEGED",
        guide(168),
        "A request that is refused has reached neither the body nor the server.",
        (
            "tests/test_stack.py::test_a_refused_request_is_refused_before_its_body_is_read",
            "tests/test_stack.py::test_every_other_order_is_refused_at_construction",
        ),
    ),
    Requirement(
        "AUTH-EVERY-REQUEST",
        guide(170),
        "None of the operations is answered without good credentials.",
        (
            "tests/test_stack.py::test_no_operation_is_answered_without_a_good_token",
            "tests/path/test_error_table.py::test_without_credentials_it_is_a_401_with_a_challenge",
        ),
    ),
    Requirement("AUTH-SESSION", guide(170), "A session cookie is accepted as a credential.", open="auth"),
    Requirement(
        "AUTH-OPAQUE", guide(170), "An opaque bearer token is accepted as a credential.", open="auth"
    ),
    Requirement(
        "AUTH-JWT",
        guide(170),
        "A signed JWT is accepted as a credential, and a hostile one never is.",
        (
            "tests/auth/test_jwt.py::test_a_good_token_says_who_is_asking",
            "tests/auth/test_jwt.py::test_a_token_that_was_changed_anywhere_is_refused",
            "tests/auth/test_jwt.py::test_whatever_a_signed_token_claims_the_answer_is_one_of_three",
        ),
    ),
    Requirement(
        "ACCESS-THREADS",
        guide(171),
        "Nobody reaches a thread of somebody else by any operation.",
        open="access",
    ),
    Requirement(
        "ACCESS-ATTACHMENTS",
        guide(171),
        "Nobody reaches an attachment of somebody else by any operation.",
        open="access",
    ),
    Requirement(
        "SECRETS",
        guide(172),
        "A key in source control or in the wrong place is found by a command.",
        open="launch",
    ),
    Requirement(
        "VALIDATE-REQUEST",
        guide(173),
        "A request that is malformed, oversized or unknown is refused before any code of the app runs.",
        (
            "tests/test_operation.py::test_any_value_in_any_place_is_parsed_or_refused",
            "tests/test_operation.py::test_a_request_type_that_we_do_not_know_is_refused",
            "tests/test_operation.py::test_an_id_that_no_store_could_have_made_is_refused",
            "tests/path/test_error_table.py::test_a_body_that_is_not_valid_is_a_400_without_any_of_it",
        ),
    ),
    Requirement(
        "VALIDATE-ACTIONS",
        guide(173),
        "The payload of an action is validated by its type before the app's code sees it.",
        open="prompts",
    ),
    Requirement(
        "PROMPT-EXPLICIT",
        guide(175),
        "How prompt injection is dealt with is written down and tested.",
        open="prompts",
    ),
    Requirement(
        "PROMPT-UNTRUSTED",
        guide(177),
        "User text, attachments and tool output are marked as untrusted for the model.",
        open="prompts",
    ),
    Requirement(
        "PROMPT-SYSTEM",
        guide(178),
        "No system input of a model is built from a value that came from a user.",
        open="prompts",
    ),
    Requirement(
        "PROMPT-STATIC",
        guide(179),
        "System messages come from trusted configuration and nothing else.",
        open="prompts",
    ),
    Requirement(
        "CONTEXT-OWN",
        guide(183),
        "An app chooses its own context type, and the type is checked from the factory to the server.",
        (
            "tests/typing/test_api.py::test_the_context_of_a_factory_is_the_context_of_the_endpoint",
            "tests/typing/test_api.py::test_a_factory_of_another_context_is_an_error",
            "tests/test_stack.py::test_a_context_factory_of_the_apps_own_is_used",
        ),
    ),
    Requirement(
        "AUTH-FRAMEWORK",
        guide(185),
        "The layers work inside an app's web framework, whose own conventions see the user.",
        (
            "tests/auth/test_middleware.py::test_starlettes_own_decorator_sees_the_scopes",
            "tests/path/test_frameworks.py::test_the_endpoint_works_the_same_in_every_framework",
        ),
    ),
    Requirement(
        "CONTEXT-IDENTITY",
        guide(186),
        "The context holds the authenticated user, the tenant and the scopes.",
        (
            "tests/test_context.py::test_the_context_holds_what_the_layers_have_found_out",
            "tests/test_stack.py::test_the_context_of_the_server_holds_what_every_layer_found_out",
            "tests/auth/test_jwt.py::test_a_good_token_says_who_is_asking",
        ),
    ),
    Requirement(
        "CONTEXT-PASSED",
        guide(187),
        "The context of a request is what the server gets.",
        (
            "tests/test_stack.py::test_the_context_of_the_server_holds_what_every_layer_found_out",
            "tests/test_stack.py::test_a_context_factory_of_the_apps_own_is_used",
        ),
    ),
    Requirement(
        "AUTH-REAL",
        guide(199),
        "A user id that the client merely claims is not believed.",
        (
            "tests/test_stack.py::test_a_user_id_that_the_client_claims_is_not_believed",
            "tests/auth/test_middleware.py::test_an_identity_that_the_client_claims_in_the_scope_is_replaced",
        ),
    ),
    Requirement(
        "AUTH-401",
        guide(202),
        "A request without a user is a 401.",
        ("tests/auth/test_middleware.py::test_without_credentials_the_app_is_not_called",),
    ),
    Requirement(
        "ANSWER-STREAM",
        guide(218),
        "A streaming operation is answered with `text/event-stream`, unbuffered and in order.",
        (
            "tests/test_driver.py::test_every_event_of_a_stream_arrives_in_order_behind_one_head",
            "tests/path/test_stream_details.py::test_a_stream_has_the_headers_that_keep_it_from_being_buffered",
        ),
    ),
    Requirement(
        "ANSWER-JSON",
        guide(220),
        "Any other operation is answered with JSON.",
        (
            "tests/test_endpoint.py::test_every_request_type_is_answered",
            "tests/path/test_error_table.py::test_a_request_that_is_right_works",
        ),
    ),
    Requirement(
        "ACCESS-STORE",
        guide(223),
        "A store refuses what does not belong to the user of its context.",
        open="access",
    ),
    Requirement(
        "ACCESS-TOOLS",
        guide(223),
        "A tool reaches only what belongs to the user of its context.",
        open="access",
    ),
)

DATA = (
    Requirement(
        "RETENTION-POLICY", guide(229), "An app says what it keeps and for how long.", open="retention"
    ),
    Requirement(
        "RETENTION-DELETE",
        guide(229),
        "A thread that is too old is no longer served, and is deleted.",
        open="retention",
    ),
    Requirement(
        "PII-STORED",
        guide(230),
        "Thread metadata and tool results are stored without personal data.",
        open="pii",
    ),
    Requirement(
        "ENCRYPTION", guide(231), "What a user or a model wrote is encrypted at rest.", open="encryption"
    ),
)

DOMAIN_KEYS = (
    Requirement(
        "DOMAIN-LOCK",
        guide(235),
        "A page of a hostname that is not listed cannot use the endpoint.",
        open="auth",
    ),
    Requirement(
        "DOMAIN-ALLOWLIST",
        guide(237),
        "The way to the allow-list of the provider is a step of the checklist.",
        open="launch",
    ),
    Requirement(
        "DOMAIN-REGISTER",
        guide(238),
        "A hostname that serves the chat without a key is found by a command.",
        open="launch",
    ),
    Requirement("DOMAIN-COPY", guide(239), "An app keeps one key for each of its hostnames.", open="auth"),
    Requirement(
        "DOMAIN-CONFIG",
        guide(241),
        "A page gets the address of the endpoint together with the key of its own hostname and no other.",
        open="auth",
    ),
    Requirement(
        "DOMAIN-FORM",
        guide(253),
        "A key that is missing or malformed is found before a user finds it.",
        open="launch",
    ),
    Requirement(
        "DOMAIN-LIVE",
        guide(255),
        "Before an app goes live, every production hostname is known to have a key.",
        open="launch",
    ),
)

STANDARDS = (
    # ------------------------------------------------------------------------------------------ problem bodies
    Requirement(
        "RFC9457-MEMBERS",
        "RFC 9457 §3.1",
        "A refusal is `application/problem+json` with type, title and the status of the response.",
        (
            "tests/test_errors.py::test_a_refusal_is_a_problem_with_a_message_that_the_client_shows",
            "tests/auth/test_middleware.py::test_a_refusal_is_a_problem_that_can_be_found_in_the_log",
        ),
    ),
    Requirement(
        "RFC9457-EXTENSIONS",
        "RFC 9457 §3.2",
        "What a program may want to know of a refusal stands in extension members.",
        ("tests/test_errors.py::test_a_problem_has_the_members_of_its_class",),
    ),
    Requirement(
        "RFC9457-LEAKS",
        "RFC 9457 §5",
        "A problem echoes nothing of the request and tells nothing of the implementation.",
        (
            "tests/test_operation.py::test_an_invalid_body_is_described_without_a_word_of_it",
            "tests/test_errors.py::test_what_an_app_raises_stands_for_one_refusal_without_its_text",
        ),
    ),
    # ------------------------------------------------------------------------------------------ bearer tokens
    Requirement(
        "RFC6750-CHALLENGE",
        "RFC 6750 §3",
        "A request without credentials gets a challenge without an error code.",
        (
            "tests/auth/test_jwt.py::test_what_is_not_a_bearer_token_is_no_credential",
            "tests/auth/test_middleware.py::test_without_credentials_the_app_is_not_called",
        ),
    ),
    Requirement(
        "RFC6750-INVALID-REQUEST",
        "RFC 6750 §3.1",
        "A request with two credentials is a 400.",
        ("tests/auth/test_jwt.py::test_two_authorization_headers_are_an_invalid_request",),
    ),
    Requirement(
        "RFC6750-INVALID-TOKEN",
        "RFC 6750 §3.1",
        "A token that is malformed, forged, expired or meant for somebody else is a 401 with `invalid_token`.",
        (
            "tests/auth/test_jwt.py::test_a_token_whose_signature_does_not_hold_is_an_invalid_token",
            "tests/auth/test_jwt.py::test_a_token_of_another_shape_or_type_is_an_invalid_token",
            "tests/auth/test_jwt.py::test_a_signed_token_that_does_not_speak_of_here_and_now_is_an_invalid_token",
        ),
    ),
    Requirement(
        "RFC6750-INSUFFICIENT-SCOPE",
        "RFC 6750 §3.1",
        "A token that lacks a scope is a 403 which names the scopes that are needed.",
        ("tests/auth/test_jwt.py::test_a_token_without_every_required_scope_is_forbidden",),
    ),
    Requirement(
        "RFC6750-QUERY",
        "RFC 6750 §2.3",
        "A token in the query of the URL is not accepted.",
        ("tests/auth/test_jwt.py::test_a_token_in_the_query_is_no_credential",),
    ),
    Requirement(
        "RFC7515-CRIT",
        "RFC 7515 §4.1.11",
        "A token with a `crit` header is refused.",
        (
            "tests/auth/test_jwt.py::test_a_token_whose_signature_does_not_hold_is_an_invalid_token",
            "tests/auth/test_jwt.py::test_whatever_a_signed_header_says_the_answer_is_one_of_two",
        ),
    ),
    Requirement(
        "RFC7519-TIMES",
        "RFC 7519 §4.1",
        "A token holds from `nbf` and `iat` until `exp`, give or take the leeway.",
        ("tests/auth/test_jwt.py::test_the_leeway_is_what_clocks_may_differ_by_and_no_more",),
    ),
    Requirement(
        "RFC8725-ALGORITHMS",
        "RFC 8725 §3.1",
        "Only the algorithms that the app has listed are accepted, and all of them are asymmetric.",
        (
            "tests/auth/test_jwt.py::test_an_algorithm_that_is_not_on_the_list_is_refused",
            "tests/auth/test_jwt.py::test_an_option_that_cannot_work_is_refused_at_construction",
        ),
    ),
    Requirement(
        "RFC9068-TYPE",
        "RFC 9068 §4",
        "Only a token that says it is an access token is accepted.",
        (
            "tests/auth/test_jwt.py::test_the_type_of_an_access_token_is_compared_as_a_media_type",
            "tests/auth/test_jwt.py::test_a_token_of_another_shape_or_type_is_an_invalid_token",
        ),
    ),
    Requirement(
        "RFC9449-BOUND",
        "RFC 9449 §7.1",
        "A token that is bound to a key is refused as a plain bearer token.",
        (
            "tests/auth/test_jwt.py::test_a_signed_token_that_does_not_speak_of_here_and_now_is_an_invalid_token",
        ),
    ),
    # ------------------------------------------------------------------------------------------ HTTP
    Requirement(
        "RFC9110-ALLOW",
        "RFC 9110 §15.5.6",
        "A method other than POST is a 405 that names the right one in `Allow`.",
        (
            "tests/test_endpoint.py::test_any_other_method_is_not_allowed",
            "tests/path/test_error_table.py::test_another_method_is_a_405_that_names_the_right_one",
        ),
    ),
    Requirement(
        "RFC9110-HEAD",
        "RFC 9110 §9.3.2",
        "HEAD is answered without a body.",
        ("tests/path/test_stream_details.py::test_head_is_answered_without_a_body",),
    ),
    Requirement(
        "RFC9110-MEDIA-TYPE",
        "RFC 9110 §15.5.16",
        "A body that is not declared as JSON is a 415.",
        (
            "tests/test_body.py::test_anything_else_is_an_unsupported_media_type",
            "tests/path/test_error_table.py::test_a_body_that_is_not_declared_as_json_is_a_415",
        ),
    ),
    Requirement(
        "RFC9110-TOO-LARGE",
        "RFC 9110 §15.5.14",
        "A body over the limit is a 413, and is not read to its end.",
        (
            "tests/test_body.py::test_a_body_over_the_limit_is_not_read_to_its_end",
            "tests/path/test_error_table.py::test_a_body_that_is_too_large_is_a_413",
        ),
    ),
    Requirement(
        "RFC9110-ACCEPT-LANGUAGE",
        "RFC 9110 §12.5.4",
        "Qualities rank the languages of a user, zero refuses one, and an asterisk stands for any.",
        ("tests/locale/test_negotiate.py::test_the_best_supported_tag_answers_the_header",),
    ),
    Requirement(
        "RFC9110-VARY",
        "RFC 9110 §12.5.5",
        "A response says in `Vary` that it depends on `Accept-Language`, beside what the app says.",
        ("tests/locale/test_middleware.py::test_a_language_that_the_app_has_set_stays",),
    ),
    Requirement(
        "RFC9110-CONTENT-LANGUAGE",
        "RFC 9110 §8.5",
        "A response says in `Content-Language` what language was chosen.",
        (
            "tests/locale/test_middleware.py::test_the_negotiated_language_is_in_the_state_and_on_the_response",
        ),
    ),
    Requirement(
        "RFC9110-AUTHENTICATE",
        "RFC 9110 §11.6.1",
        "A 401 has a `WWW-Authenticate` header.",
        (
            "tests/test_errors.py::test_a_refusal_has_the_headers_that_its_status_asks_for",
            "tests/auth/test_middleware.py::test_with_bad_credentials_the_challenge_names_the_error",
        ),
    ),
    # ------------------------------------------------------------------------------------------ formats
    Requirement(
        "RFC8259-UTF8",
        "RFC 8259 §8.1",
        "JSON is taken in UTF-8 and in nothing else.",
        (
            "tests/test_body.py::test_json_in_utf_8_is_taken",
            "tests/test_body.py::test_anything_else_is_an_unsupported_media_type",
        ),
    ),
    Requirement(
        "RFC4648-STRICT",
        "RFC 4648 §3.3",
        "A dictation that is not strict base64 is refused.",
        ("tests/test_operation.py::test_a_dictation_that_is_no_strict_base64_is_refused",),
    ),
    Requirement(
        "HTML-SSE-DECODE",
        "HTML, Server-sent events §9.2.6",
        "A stream is decoded as the standard words it, wherever it is cut.",
        (
            "tests/test_sse.py::test_a_stream_is_decoded_as_the_standard_words_it",
            "tests/test_sse.py::test_a_stream_that_is_cut_at_any_byte_gives_the_same_events",
        ),
    ),
    Requirement(
        "HTML-SSE-COMMENT",
        "HTML, Server-sent events §9.2.7",
        "A silent stream is kept alive by comments that no client takes for an event.",
        (
            "tests/test_sse.py::test_a_comment_is_no_message",
            "tests/path/test_stream_details.py::test_a_silent_stream_gets_comments_that_are_no_messages",
        ),
    ),
    Requirement(
        "TRACE-CONTEXT-PARENT",
        "W3C Trace Context §3.2",
        "A request continues the trace of its own `traceparent`, and never that of another request.",
        (
            "tests/tracing/test_middleware.py::test_the_span_continues_the_trace_of_the_caller",
            "tests/tracing/test_middleware.py::test_two_pipelined_requests_never_share_a_trace",
        ),
    ),
    Requirement(
        "OTEL-STATUS",
        "OpenTelemetry semantic conventions, HTTP spans, Status",
        "A 4xx leaves the status of a server span unset, and a failure behind a 200 is an error.",
        (
            "tests/tracing/test_middleware.py::test_a_refused_request_is_no_error_of_the_span",
            "tests/tracing/test_middleware.py::test_an_error_inside_a_200_stream_is_an_error_of_the_span",
        ),
    ),
    Requirement(
        "ASGI-OTHER-SCOPES",
        "ASGI, Lifespan Protocol, and WebSocket",
        "A WebSocket is refused, and the lifespan is answered.",
        ("tests/test_stack.py::test_a_websocket_is_refused_and_the_lifespan_works",),
    ),
)

REQUIREMENTS = (*OVERVIEW, *LOCALE, *MONITORING, *SECURITY, *DATA, *DOMAIN_KEYS, *STANDARDS)
