"""The rules of standards that the code claims to follow, and the tests that show it."""

from tests.requirement import Requirement

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
            "tests/auth/test_credentials.py::test_no_header_is_no_token",
            "tests/auth/test_middleware.py::test_without_credentials_the_app_is_not_called",
        ),
    ),
    Requirement(
        "RFC6750-INVALID-REQUEST",
        "RFC 6750 §3.1",
        "A request with two credentials is a 400.",
        (
            "tests/auth/test_credentials.py::test_credentials_that_are_doubled_or_empty_are_malformed",
            "tests/auth/test_answers.py::test_a_bearer_is_answered_as_the_rfc_says",
        ),
    ),
    Requirement(
        "RFC6750-INVALID-TOKEN",
        "RFC 6750 §3.1",
        "A token that is malformed, forged, expired or meant for somebody else is a 401 with `invalid_token`.",
        (
            "tests/auth/test_attacks.py::test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it",
            "tests/auth/test_answers.py::test_a_bearer_is_answered_as_the_rfc_says",
        ),
    ),
    Requirement(
        "RFC6750-INSUFFICIENT-SCOPE",
        "RFC 6750 §3.1",
        "A token that lacks a scope is a 403 which names the scopes that are needed.",
        (
            "tests/auth/test_answers.py::test_who_lacks_one_of_the_demanded_scopes_is_forbidden",
            "tests/auth/test_attacks.py::test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it",
        ),
    ),
    Requirement(
        "RFC6750-QUERY",
        "RFC 6750 §2.3",
        "A token in the query of the URL is not accepted.",
        (
            "tests/auth/test_credentials.py::test_a_second_token_in_the_query_is_malformed",
            "tests/auth/test_attacks.py::test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it",
        ),
    ),
    # ------------------------------------------------------------------------------------------ signed tokens
    Requirement(
        "RFC7515-VECTORS",
        "RFC 7515 §10",
        "Every signed compact example of RFC 7515, 7519, 7520 and 8037 is verified, and refused when any byte of it is changed.",
        (
            "tests/auth/test_vectors.py::test_a_published_token_is_verified",
            "tests/auth/test_vectors.py::test_a_published_token_is_refused_when_any_byte_is_changed",
        ),
    ),
    Requirement(
        "RFC7515-BASE64URL",
        "RFC 7515 §2",
        "A part of a token has one spelling, without padding.",
        (
            "tests/auth/test_jws.py::test_of_all_spellings_of_the_last_character_one_is_read",
            "tests/auth/test_providers.py::test_padding_is_for_load_balancers_alone",
        ),
    ),
    Requirement(
        "RFC7515-CRIT",
        "RFC 7515 §4.1.11",
        "A token with a `crit` header is refused.",
        (
            "tests/auth/test_jws.py::test_a_header_that_we_do_not_go_by_is_refused_even_if_signed",
            "tests/auth/test_attacks.py::test_whatever_a_signed_header_says_the_answer_is_one_of_two",
        ),
    ),
    Requirement(
        "RFC7515-MEMBERS",
        "RFC 7515 §4",
        "A header or a payload that names a member twice is refused.",
        ("tests/auth/test_strict_json.py::test_what_parsers_may_read_in_different_ways_is_refused",),
    ),
    Requirement(
        "RFC7797-B64",
        "RFC 7797 §3",
        "A token with `b64` is refused.",
        ("tests/auth/test_jws.py::test_a_header_that_we_do_not_go_by_is_refused_even_if_signed",),
    ),
    Requirement(
        "RFC7517-USE",
        "RFC 7517 §4.2",
        "A key that is meant for encryption verifies nothing.",
        (
            "tests/auth/test_keys.py::test_a_key_that_is_not_good_for_signatures_is_left_out_and_the_others_stay",
        ),
    ),
    Requirement(
        "RFC7517-SET",
        "RFC 7517 §5",
        "A key that cannot be used is left out of its set and never spoils the others.",
        (
            "tests/auth/test_keys.py::test_however_a_key_is_mutated_it_is_taken_or_left_out",
            "tests/auth/test_discovery.py::test_a_bad_key_is_left_out_and_logged_and_does_not_spoil_the_others",
        ),
    ),
    Requirement(
        "RFC7518-STRENGTH",
        "RFC 7518 §3.3",
        "A key that is too short for its algorithm verifies nothing.",
        (
            "tests/auth/test_keys.py::test_a_key_that_is_not_good_for_signatures_is_left_out_and_the_others_stay",
            "tests/auth/test_algorithms.py::test_a_key_fits_the_algorithms_of_its_type_curve_and_length_alone",
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
        "Only the algorithms that the app has listed are accepted.",
        (
            "tests/auth/test_vectors.py::test_a_published_token_is_refused_when_its_algorithm_is_not_on_the_list",
            "tests/auth/test_algorithms.py::test_what_is_no_list_of_signatures_is_refused",
        ),
    ),
    Requirement(
        "RFC8725-CONFUSION",
        "RFC 8725 §2.1",
        "A public key is never taken for an HMAC secret.",
        (
            "tests/auth/test_algorithms.py::test_hmac_never_stands_beside_public_keys",
            "tests/auth/test_jws.py::test_secrets_verify_hmac_and_public_keys_do_not",
        ),
    ),
    Requirement(
        "RFC8725-ISSUER",
        "RFC 8725 §3.8",
        "A token is accepted only from the issuer whose key has signed it.",
        (
            "tests/auth/test_issuers.py::test_a_token_is_accepted_only_from_the_issuer_whose_key_has_signed_it",
        ),
    ),
    Requirement(
        "RFC8725-AUDIENCE",
        "RFC 8725 §3.9",
        "A token for somebody else is refused.",
        ("tests/auth/test_issuers.py::test_a_token_is_never_accepted_for_the_audience_of_another_issuer",),
    ),
    Requirement(
        "RFC8725-CLAIMED-KEYS",
        "RFC 8725 §3.10",
        "No header of a token leads to the key that verifies it.",
        (
            "tests/auth/test_jws.py::test_what_else_a_header_says_chooses_no_key",
            "tests/auth/test_attacks.py::test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it",
        ),
    ),
    Requirement(
        "RFC9068-TYPE",
        "RFC 9068 §4",
        "Only a token that says it is an access token is accepted.",
        (
            "tests/auth/test_jwt.py::test_the_rules_of_rfc_9068_hold",
            "tests/auth/test_jwt.py::test_another_type_is_accepted_only_if_asked_for",
        ),
    ),
    Requirement(
        "RFC9068-CLAIMS",
        "RFC 9068 §2.2",
        "A token that lacks one of the required claims is refused.",
        ("tests/auth/test_jwt.py::test_the_rules_of_rfc_9068_hold",),
    ),
    Requirement(
        "RFC9068-SCOPE",
        "RFC 9068 §2.2.3",
        "The scopes of a token are those of OAuth.",
        ("tests/auth/test_jwt.py::test_the_scopes_of_rfc_9068_are_those_of_oauth",),
    ),
    Requirement(
        "RFC9449-BOUND",
        "RFC 9449 §7.1",
        "A token that is bound to a key is refused as a plain bearer token.",
        (
            "tests/auth/test_attacks.py::test_every_known_attack_is_refused_in_no_time_and_without_a_trace_of_it",
        ),
    ),
    # ------------------------------------------------------------------------------------------ providers
    Requirement(
        "RFC8414-ISSUER",
        "RFC 8414 §3.3",
        "Metadata that name another issuer are refused.",
        ("tests/auth/test_discovery.py::test_the_metadata_of_another_issuer_are_refused",),
    ),
    Requirement(
        "RFC8414-PATH",
        "RFC 8414 §3.1",
        "The metadata of an issuer with a path are found.",
        ("tests/auth/test_discovery.py::test_the_metadata_of_an_issuer_are_found",),
    ),
    Requirement(
        "RFC7662-ACTIVE",
        "RFC 7662 §2.2",
        "Only a token of which the issuer says `true` is active.",
        (
            "tests/auth/test_opaque.py::test_a_token_that_does_not_hold_here_is_refused_now_and_from_memory",
            "tests/auth/test_opaque.py::test_a_demand_cannot_make_an_inactive_token_active",
        ),
    ),
    Requirement(
        "RFC7662-CACHE",
        "RFC 7662 §4",
        "No answer about a token is believed past its end, nor longer than the app has said.",
        (
            "tests/auth/test_opaque.py::test_a_yes_is_never_believed_past_the_end_of_the_token",
            "tests/auth/test_opaque.py::test_a_yes_counts_from_the_question_on_however_late_somebody_joins_it",
        ),
    ),
    Requirement(
        "RFC6749-CLIENT",
        "RFC 6749 §2.3.1",
        "The id and the secret of the service are encoded like a form in its `Authorization` header.",
        ("tests/auth/test_introspection.py::test_in_the_header_id_and_secret_are_form_encoded",),
    ),
    # ------------------------------------------------------------------------------------------ pages and cookies
    Requirement(
        "RFC6454-ORIGIN",
        "RFC 6454 §6.2",
        "An origin is the one on the list, byte for byte, or a foreign one.",
        (
            "tests/auth/test_allow_lists.py::test_no_string_is_allowed_that_is_not_on_the_list",
            "tests/auth/test_allow_lists.py::test_an_origin_with_one_character_changed_added_or_missing_is_foreign",
        ),
    ),
    Requirement(
        "FETCH-PREFLIGHT",
        "W3C Fetch, CORS-preflight request",
        "A preflight of a page on the list is answered without credentials, and no other one is.",
        (
            "tests/auth/test_origin.py::test_a_preflight_of_a_page_on_the_list_is_answered_before_the_app",
            "tests/auth/test_origin.py::test_no_preflight_whatever_tells_a_foreign_page_anything",
        ),
    ),
    Requirement(
        "FETCH-METADATA",
        "W3C Fetch Metadata §2.3",
        "A request with a cookie that another site has made the browser send is refused.",
        (
            "tests/auth/test_csrf.py::test_the_whole_matrix_is_decided_as_the_table_says",
            "tests/integration/test_browser.py::test_a_foreign_page_cannot_post_with_the_cookie_of_the_user",
        ),
    ),
    Requirement(
        "RFC6265-TWO-COOKIES",
        "RFC 6265 §4.2.2",
        "A request with two cookies of one name is refused.",
        (
            "tests/auth/test_session.py::test_two_cookies_of_the_name_are_refused_whichever_was_meant",
            "tests/auth/test_session.py::test_no_cookie_that_starlette_sees_is_overlooked",
        ),
    ),
    Requirement(
        "RFC9112-HOST",
        "RFC 9112 §3.2",
        "A request with two `Host` headers is a 400.",
        ("tests/auth/test_origin.py::test_two_hosts_are_an_invalid_request",),
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
        "RFC4647-BASIC-FILTER",
        "RFC 4647 §3.3.1",
        "What is refused is refused with all that begins with it, unless a longer range asks for that.",
        (
            "tests/locale/test_negotiate.py::test_the_nearest_of_the_supported_tags_answers",
            "tests/locale/test_negotiate.py::test_a_refused_tag_is_never_chosen_while_there_is_another",
        ),
    ),
    Requirement(
        "RFC5646-SYNTAX",
        "RFC 5646 §2.1",
        "Only what follows the grammar of language tags is looked at.",
        (
            "tests/locale/test_ranges.py::test_every_range_of_any_text_follows_the_grammar",
            "tests/locale/test_tags.py::test_what_does_not_follow_the_grammar_is_no_tag",
        ),
    ),
    Requirement(
        "RFC9110-VARY",
        "RFC 9110 §12.5.5",
        "A response says in `Vary` that it depends on `Accept-Language`, beside what the app says.",
        (
            "tests/locale/test_middleware.py::test_a_language_that_the_app_has_set_stays",
            "tests/locale/test_sources.py::test_vary_names_the_headers_that_the_sources_look_at_and_no_other",
        ),
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
        "TRACE-CONTEXT-GRAMMAR",
        "W3C Trace Context level 2, §3.2 and §3.3",
        "A `traceparent` that is wrong or doubled starts a new trace, and a wrong `tracestate` is left out as a whole.",
        (
            "tests/tracing/test_propagation.py::test_the_caller_is_understood_as_the_specification_says",
            "tests/tracing/test_propagation.py::test_no_bytes_at_all_raise_or_are_logged",
            "tests/tracing/test_propagation.py::test_a_wrong_state_never_costs_the_parent",
        ),
    ),
    Requirement(
        "BAGGAGE-UNTRUSTED",
        "W3C Baggage §3.3 and §4",
        "Of a caller's baggage nothing is taken but the keys that the app names, within the limits.",
        (
            "tests/tracing/test_propagation.py::test_of_baggage_nothing_is_taken_unless_the_app_asks",
            "tests/tracing/test_propagation.py::test_of_many_members_the_first_64_count",
            "tests/tracing/test_propagation.py::test_of_many_bytes_the_first_8192_count_and_no_value_is_cut",
        ),
    ),
    Requirement(
        "GEN-AI-SPANS",
        "OpenTelemetry semantic conventions, Generative AI, Agent and model spans",
        "A run of an agent is `invoke_agent`, `chat` and `execute_tool` spans, without content unless it is asked for.",
        (
            "tests/tracing/test_agents.py::test_a_run_is_a_tree_under_what_is_current",
            "tests/tracing/test_agents.py::test_no_word_of_what_was_said_is_exported",
            "tests/tracing/test_agents.py::test_an_app_that_asks_for_it_gets_what_was_said",
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
    # ------------------------------------------------------------------------------------------ personal data
    Requirement(
        "RFC4291-TEXT",
        "RFC 4291 §2.2",
        "An IPv6 address is found in every form that it can be written in.",
        (
            "tests/pii/detectors/test_network.py::test_every_full_address_is_found",
            "tests/pii/detectors/test_network.py::test_every_global_address_is_found_however_short",
        ),
    ),
    Requirement(
        "RFC3986-USERINFO",
        "RFC 3986 §3.2.1",
        "A password in the userinfo of a URL is found, and the rest of the URL stays.",
        ("tests/pii/detectors/test_network.py::test_a_password_in_a_url_is_found_and_the_rest_stays",),
    ),
    Requirement(
        "RFC7515-HEADER",
        "RFC 7515 §4.1.1",
        "A text is taken for a token if it begins with a header that names an algorithm.",
        (
            "tests/pii/detectors/test_secrets.py::test_a_token_of_any_length_is_found_whole",
            "tests/pii/detectors/test_secrets.py::test_what_has_no_header_is_no_token",
        ),
    ),
    Requirement(
        "RFC7468-PRIVATE-KEY",
        "RFC 7468 §10",
        "Of a private key between its markers no line is left.",
        (
            "tests/pii/detectors/test_secrets.py::test_no_line_of_a_private_key_is_left",
            "tests/pii/detectors/test_secrets.py::test_no_line_of_a_key_with_headers_is_left",
        ),
    ),
    Requirement(
        "RFC6750-LOGS",
        "RFC 6750 §2.1",
        "A bearer token of any length is taken out of a record as a whole.",
        (
            "tests/pii/test_logs.py::test_no_part_of_a_bearer_token_of_any_length_is_left",
            "tests/pii/detectors/test_secrets.py::test_a_bearer_token_of_any_length_is_found_whole",
        ),
    ),
    Requirement(
        "ASGI-OTHER-SCOPES",
        "ASGI, Lifespan Protocol, and WebSocket",
        "A WebSocket is refused, and the lifespan is answered.",
        ("tests/test_stack.py::test_a_websocket_is_refused_and_the_lifespan_works",),
    ),
)
