"""What this library promises, and the tests that hold it to that.

One entry for every sentence of the production guide of openai/chatkit-python that asks for something
(`docs/guides/prepare-your-app-for-production.md`, by heading and line), and one for every rule of a
standard that the code claims to follow. An entry is met by tests, or open until a concern meets it.
`test_requirements.py` keeps the list honest.
"""

from tests.requirement import Requirement
from tests.standards import STANDARDS

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
        ("tests/path/test_languages.py::test_tool_and_model_answer_in_the_users_language",),
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
        (
            "tests/auth/test_domain_keys.py::test_the_list_is_what_the_middleware_takes",
            "tests/auth/test_domain_keys.py::test_the_origins_are_those_of_the_hostnames_and_those_that_were_named",
        ),
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
        ("tests/path/test_languages.py::test_tool_and_model_answer_in_the_users_language",),
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
            "tests/locale/test_negotiate.py::test_the_nearest_of_the_supported_tags_answers",
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
            "tests/locale/test_negotiate.py::test_any_header_gives_a_supported_tag_in_less_than_a_millisecond",
            "tests/integration/test_locale.py::test_a_hundred_thousand_headers_take_less_than_two_megabytes",
            "tests/integration/test_locale.py::test_eight_threads_with_cold_caches_agree",
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
        (
            "tests/locale/test_translate.py::test_every_context_of_a_tool_says_whom_it_is_for",
            "tests/path/test_languages.py::test_tool_and_model_answer_in_the_users_language",
        ),
    ),
    Requirement(
        "LOCALE-ERRORS",
        guide(26),
        "Every text of ours that a user sees is in every language that ChatKit itself speaks.",
        (
            "tests/locale/test_messages.py::test_every_text_is_translated_and_nothing_else",
            "tests/locale/test_messages.py::test_the_plural_rule_is_that_of_cldr",
            "tests/locale/test_messages.py::test_every_request_of_chatkit_gets_the_texts_of_its_own_translation",
            "tests/path/test_languages.py::test_what_the_layers_refuse_is_in_the_users_language",
        ),
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
        (
            "tests/locale/test_translations.py::test_the_state_has_the_catalogs_of_its_language",
            "tests/locale/test_translate.py::test_a_number_has_the_plural_form_of_the_language",
        ),
    ),
    Requirement(
        "LOCALE-CATALOGS",
        guide(54),
        "Catalogs are loaded once, are found for a regional tag too, and no path comes from a header.",
        (
            "tests/locale/test_catalogs.py::test_a_locale_gets_the_catalogs_of_its_language_and_script_the_nearest_first",
            "tests/locale/test_catalogs.py::test_a_catalog_is_loaded_once_for_all_locales_that_need_it",
            "tests/locale/test_catalogs.py::test_no_text_reaches_a_file",
            "tests/locale/test_catalogs.py::test_no_number_of_locales_makes_the_memory_grow",
            "tests/locale/test_translations.py::test_a_missing_catalog_is_said_at_start_up_and_not_with_every_request",
        ),
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
        (
            "tests/locale/test_translate.py::test_an_error_is_in_the_language_of_the_request",
            "tests/path/test_languages.py::test_an_error_of_a_tool_is_in_the_users_language",
        ),
    ),
    Requirement(
        "LOCALE-PROMPT",
        guide(83),
        "One trusted line of the prompt tells the model which language to answer in.",
        (
            "tests/locale/test_language.py::test_nothing_of_a_tag_reaches_the_prompt",
            "tests/path/test_languages.py::test_tool_and_model_answer_in_the_users_language",
        ),
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
            "tests/examples/test_observability.py::test_one_query_leads_from_a_user_and_a_time_to_the_failing_call_of_the_store",
        ),
    ),
    Requirement(
        "MONITOR-HEALTHY",
        guide(87),
        "Metrics tell whether requests are healthy right now.",
        ("tests/integration/test_prometheus.py::test_prometheus_answers_the_health_queries",),
    ),
    Requirement(
        "CLIENT-FORWARD",
        guide(91),
        "The page's log and error events reach the telemetry of the server.",
        (
            "tests/tracing/test_client_events.py::test_an_event_becomes_one_record_in_the_trace_of_its_chatkit_request",
            "tests/integration/test_client_events.py::test_an_event_of_the_page_and_the_request_that_failed_are_in_one_trace",
        ),
    ),
    Requirement(
        "CLIENT-USER",
        guide(93),
        "An event of the page is tagged with its user.",
        (
            "tests/tracing/test_client_events.py::test_the_user_is_named_as_the_app_wants_it",
            "tests/tracing/test_client_events.py::test_users_at_the_same_time_do_not_mix_their_events",
        ),
    ),
    Requirement(
        "CLIENT-SESSION",
        guide(94),
        "An event of the page is tagged with its session or request.",
        (
            "tests/tracing/test_client_events.py::test_an_event_becomes_one_record_in_the_trace_of_its_chatkit_request",
            "tests/integration/test_client_events.py::test_the_session_is_that_of_the_tab",
        ),
    ),
    Requirement(
        "CLIENT-THREAD",
        guide(95),
        "An event of the page is tagged with its thread.",
        (
            "tests/integration/test_client_events.py::test_an_event_belongs_to_the_latest_request_of_its_thread_or_else_to_the_latest",
        ),
    ),
    Requirement(
        "CLIENT-REACT",
        guide(97),
        "A React page hands the options for logs and errors over in one line.",
        (
            "tests/integration/test_client_events.py::test_the_options_for_react_tell_us_and_the_apps_own_handlers",
        ),
    ),
    Requirement(
        "CLIENT-NO-CONTENT",
        guide(114),
        "No message text and no tool argument leaves the page as telemetry.",
        ("tests/integration/test_client_events.py::test_nothing_but_what_the_table_names_leaves_the_page",),
    ),
    Requirement(
        "CLIENT-ELEMENT",
        guide(130),
        "A page with the web component attaches the same telemetry to its events.",
        ("tests/integration/test_client_events.py::test_an_element_is_listened_to_until_somebody_ends_it",),
    ),
    Requirement(
        "CLIENT-FIELDS",
        guide(152),
        "Only allow-listed fields of an event of the page are forwarded.",
        (
            "tests/tracing/test_client_event.py::test_whatever_arrives_no_text_is_kept_that_no_pattern_allows",
            "tests/tracing/test_client_event.py::test_of_an_event_full_of_secrets_only_what_the_table_names_is_kept",
            "tests/tracing/test_client_event.py::test_the_page_and_the_server_have_one_list",
        ),
    ),
    Requirement(
        "CLIENT-SCRUB",
        guide(152),
        "What is forwarded of an event of the page is scrubbed of personal data.",
        (
            "tests/tracing/test_client_event.py::test_every_text_that_is_kept_is_what_the_scrubber_has_left_of_it",
            "tests/tracing/test_client_events.py::test_a_scrubber_that_fails_lets_nothing_through",
            "tests/test_stack.py::test_what_is_forwarded_of_a_page_is_scrubbed_too",
        ),
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
    Requirement(
        "SERVER-PROCESS",
        guide(161),
        "Every call of the server has a span.",
        ("tests/tracing/test_server.py::test_every_operation_has_a_span_and_so_has_what_it_calls",),
    ),
    Requirement(
        "SERVER-STORE",
        guide(161),
        "Every call of the store has a span.",
        (
            "tests/tracing/test_store.py::test_every_call_has_a_span_that_says_of_what",
            "tests/tracing/test_store.py::test_every_call_of_an_attachment_store_has_a_span_as_well",
        ),
    ),
    Requirement(
        "SERVER-MODEL",
        guide(162),
        "Every call of a model provider has a span.",
        (
            "tests/tracing/test_agents.py::test_a_run_is_a_tree_under_what_is_current",
            "tests/tracing/test_agents.py::test_chat_completions_tell_the_model_that_was_asked_for",
        ),
    ),
    Requirement(
        "SERVER-TOOLS",
        guide(163),
        "An error in a tool is on the trace with its type.",
        (
            "tests/tracing/test_agents.py::test_an_exception_that_leaves_a_tool_is_recorded_once_and_by_its_own_name",
            "tests/tracing/test_agents.py::test_the_hook_at_a_tool_notes_what_it_has_raised_and_passes_it_on",
        ),
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
    Requirement(
        "AUTH-SESSION",
        guide(170),
        "A session cookie is accepted as a credential.",
        (
            "tests/auth/test_session.py::test_a_session_of_the_store_is_its_principal",
            "tests/auth/test_session.py::test_who_signed_in_through_starlettes_middleware_is_known",
            "tests/auth/test_session.py::test_only_a_cookie_is_subject_to_the_matrix_of_cross_site_requests",
            "tests/integration/test_browser.py::test_a_foreign_page_cannot_post_with_the_cookie_of_the_user",
        ),
    ),
    Requirement(
        "AUTH-OPAQUE",
        guide(170),
        "An opaque bearer token is accepted as a credential.",
        (
            "tests/auth/test_opaque.py::test_an_active_token_says_who_is_asking",
            "tests/auth/test_opaque.py::test_a_yes_is_believed_for_its_time_and_no_longer",
            "tests/integration/test_introspection.py::test_a_revoked_token_is_refused_when_the_last_yes_is_forgotten",
        ),
    ),
    Requirement(
        "AUTH-JWT",
        guide(170),
        "A signed JWT is accepted as a credential, and a hostile one never is.",
        (
            "tests/auth/test_jwt.py::test_a_good_token_says_who_is_asking",
            "tests/auth/test_attacks.py::test_a_token_that_was_changed_anywhere_is_refused",
            "tests/auth/test_attacks.py::test_whatever_a_signed_token_claims_the_answer_is_one_of_three",
        ),
    ),
    Requirement(
        "ACCESS-THREADS",
        guide(171),
        "Nobody reaches a thread of somebody else by any operation.",
        (
            "tests/access/test_machine.py::test_nobody_reaches_what_is_anothers",
            "tests/access/test_gate.py::test_foreign_and_absent_get_the_same_404_and_nothing_of_the_app_runs",
            "tests/access/test_gate.py::test_ones_own_thread_is_no_way_to_what_is_anothers",
            "tests/access/test_resources.py::test_every_operation_of_chatkit_has_a_need_and_no_other_has",
        ),
    ),
    Requirement(
        "ACCESS-ATTACHMENTS",
        guide(171),
        "Nobody reaches an attachment of somebody else by any operation.",
        (
            "tests/access/test_machine.py::test_nobody_reaches_what_is_anothers",
            "tests/access/test_store.py::test_only_the_owners_bytes_are_deleted",
            "tests/access/test_store.py::test_a_bound_attachment_stays_in_its_thread",
            "tests/access/test_gate.py::test_an_attachment_of_another_thread_of_ones_own_cannot_be_sent_again",
        ),
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
        (
            "tests/prompts/test_actions.py::test_a_payload_that_is_not_valid_is_refused",
            "tests/prompts/test_actions.py::test_a_type_that_nobody_has_registered_is_refused",
            "tests/prompts/test_actions.py::test_any_payload_is_valid_or_refused",
        ),
    ),
    Requirement(
        "PROMPT-EXPLICIT",
        guide(175),
        "How prompt injection is dealt with is written down and tested.",
        (
            "tests/prompts/test_injection.py::test_no_instruction_contains_anything_of_a_request_or_of_a_thread",
            "tests/prompts/test_ordinary.py::test_no_ordinary_conversation_is_refused",
        ),
    ),
    Requirement(
        "PROMPT-UNTRUSTED",
        guide(177),
        "User text, attachments and tool output are marked as untrusted for the model.",
        (
            "tests/prompts/test_fence.py::test_a_text_that_knows_the_marker_of_any_other_stays_inside",
            "tests/prompts/test_converter.py::test_a_quoted_text_is_fenced",
            "tests/prompts/test_converter.py::test_a_tag_is_fenced_with_its_data",
            "tests/prompts/test_converter.py::test_an_attachment_is_fenced_by_the_app",
            "tests/prompts/test_converter.py::test_the_result_of_a_client_tool_is_fenced",
            "tests/prompts/test_guard.py::test_what_a_tool_says_stays_what_a_tool_says",
        ),
    ),
    Requirement(
        "PROMPT-SYSTEM",
        guide(178),
        "No system input of a model is built from a value that came from a user.",
        (
            "tests/prompts/test_injection.py::test_no_instruction_contains_anything_of_a_request_or_of_a_thread",
            "tests/prompts/test_guard.py::test_items_that_speak_for_the_app_are_refused",
            "tests/integration/test_prompts.py::test_an_app_that_instructs_with_any_field_is_refused_with_each_of_them",
        ),
    ),
    Requirement(
        "PROMPT-STATIC",
        guide(179),
        "System messages come from trusted configuration and nothing else.",
        (
            "tests/prompts/test_guard.py::test_instructions_that_are_plain_text_are_refused",
            "tests/prompts/test_trusted.py::test_within_a_request_nothing_becomes_trusted",
            "tests/prompts/test_system.py::test_within_a_request_there_is_no_new_system_prompt",
        ),
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
        (
            "tests/access/test_store.py::test_what_is_another_users_is_not_found",
            "tests/access/test_store.py::test_foreign_and_absent_take_the_same_calls_of_the_inner_store",
            "tests/access/test_store.py::test_whoever_has_no_principal_may_do_nothing",
        ),
    ),
    Requirement(
        "ACCESS-TOOLS",
        guide(223),
        "A tool reaches only what belongs to the user of its context.",
        (
            "tests/access/test_gate.py::test_what_a_tool_may_not_reach_is_not_found",
            "tests/access/test_machine.py::test_nobody_reaches_what_is_anothers",
        ),
    ),
)

DATA = (
    Requirement(
        "RETENTION-POLICY",
        guide(229),
        "An app says what it keeps and for how long.",
        (
            "tests/retention/test_policy.py::test_a_thread_expires_at_its_age",
            "tests/retention/test_policy.py::test_a_tenants_age_takes_the_place_of_the_general_one",
            "tests/retention/test_policy.py::test_a_status_only_shortens",
            "tests/retention/test_policy.py::test_the_hook_has_the_last_word",
        ),
    ),
    Requirement(
        "RETENTION-DELETE",
        guide(229),
        "A thread that is too old is no longer served, and is deleted.",
        (
            "tests/retention/test_store.py::test_what_expired_is_not_found_and_not_changed",
            "tests/retention/test_sweep.py::test_what_expired_goes_with_its_items_and_attachments_and_their_bytes",
            "tests/retention/test_machine.py::test_nothing_expired_is_served_and_nothing_live_is_deleted",
        ),
    ),
    Requirement(
        "PII-STORED",
        guide(230),
        "Thread metadata and tool results are stored without personal data.",
        (
            "tests/pii/test_store.py::test_the_metadata_of_a_thread_is_scrubbed",
            "tests/pii/test_store.py::test_arguments_and_output_of_a_client_tool_are_scrubbed",
            "tests/pii/test_store.py::test_hidden_context_is_scrubbed",
            "tests/pii/test_store.py::test_if_the_scrubber_fails_nothing_is_stored",
        ),
    ),
    Requirement(
        "ENCRYPTION",
        guide(231),
        "What a user or a model wrote is encrypted at rest.",
        (
            "tests/encryption/test_store.py::test_nothing_that_anybody_wrote_is_stored_clear",
            "tests/encryption/test_tampering.py::test_no_field_that_is_swapped_truncated_changed_removed_or_replayed_is_read",
            "tests/encryption/test_envelope.py::test_published_vectors_pass",
            "tests/integration/test_encryption.py::test_after_each_operation_the_files_hold_nothing_clear",
            "tests/integration/test_encryption.py::test_keys_change_under_load_without_a_loss",
        ),
    ),
)

DOMAIN_KEYS = (
    Requirement(
        "DOMAIN-LOCK",
        guide(235),
        "A page of a hostname that is not listed cannot use the endpoint.",
        (
            "tests/auth/test_origin.py::test_no_origin_that_is_not_on_the_list_is_ever_let_in",
            "tests/auth/test_origin.py::test_a_foreign_page_is_refused_before_the_app_and_cannot_read_why",
            "tests/integration/test_browser.py::test_a_foreign_page_that_asks_first_is_told_no",
        ),
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
    Requirement(
        "DOMAIN-COPY",
        guide(239),
        "An app keeps one key for each of its hostnames.",
        ("tests/auth/test_domain_keys.py::test_a_hostname_has_its_own_key_and_another_one_has_none",),
    ),
    Requirement(
        "DOMAIN-CONFIG",
        guide(241),
        "A page gets the address of the endpoint together with the key of its own hostname and no other.",
        (
            "tests/auth/test_domain_keys.py::test_a_page_gets_the_key_of_its_own_hostname",
            "tests/auth/test_domain_keys.py::test_no_pair_of_origin_and_host_gets_the_key_of_another_hostname",
        ),
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

REQUIREMENTS = (*OVERVIEW, *LOCALE, *MONITORING, *SECURITY, *DATA, *DOMAIN_KEYS, *STANDARDS)
