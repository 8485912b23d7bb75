"""Personal data and credentials stay out of the log."""

import io
import json
import logging
import secrets
import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod import ConfigurationError
from chatkit_prod.pii import RedactingFilter
from chatkit_prod.pii.keys import Keys
from chatkit_prod.pii.leaves import REDACTED, UNSCRUBBED
from chatkit_prod.pii.logs import redact
from chatkit_prod.records import write
from chatkit_prod.testing import LocalIdentityProvider
from tests.pii.scrubbers import CARD, Broken, labelling

EMAIL = "alice.o'neil+desk@mail.example.co.uk"
TOKEN = LocalIdentityProvider().token("alice")


class Written(logging.StreamHandler[io.StringIO]):
    """Writes to memory what has passed the filter."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.addFilter(RedactingFilter())

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@pytest.fixture
def written() -> Written:
    return Written()


@pytest.fixture
def logger(written: Written) -> logging.Logger:
    """A logger that nobody else can reach."""
    found = logging.Logger(__name__)  # noqa: LOG001
    found.addHandler(written)
    return found


def test_the_message_is_redacted(logger: logging.Logger, written: Written) -> None:
    logger.info(f"login of {EMAIL} with bearer {TOKEN}")  # noqa: G004 - as apps do
    assert written.text == "login of [EMAIL] with bearer [TOKEN]\n"


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("%s sent %s", (EMAIL, f"Bearer {TOKEN}")),
        ("%(who)s sent %(what)s", ({"who": EMAIL, "what": f"Bearer {TOKEN}"},)),
        ("%s@%s sent Bearer %s", ("alice", "example.com", TOKEN)),
    ],
    ids=["positional", "named", "put together"],
)
def test_the_arguments_are_redacted(
    logger: logging.Logger, written: Written, message: str, args: tuple[object, ...]
) -> None:
    logger.info(message, *args)
    assert written.text == "[EMAIL] sent Bearer [TOKEN]\n"


def test_a_record_is_left_without_arguments_that_another_handler_could_print() -> None:
    record = logging.makeLogRecord({"msg": "from %s", "args": (EMAIL,)})
    assert RedactingFilter().filter(record)
    assert record.args is None
    assert record.getMessage() == "from [EMAIL]"


def test_a_message_that_is_not_text_is_redacted(logger: logging.Logger, written: Written) -> None:
    logger.error(ValueError(f"no such user: {EMAIL}"))
    assert written.text == "no such user: [EMAIL]\n"


def test_the_text_of_an_exception_and_of_its_causes_is_redacted(
    logger: logging.Logger, written: Written
) -> None:
    def fail() -> None:
        try:
            raise KeyError(EMAIL)  # noqa: TRY301 - a cause is what is needed
        except KeyError as cause:
            raise ValueError(f"Authorization: Bearer {TOKEN}") from cause

    try:
        fail()
    except ValueError:
        logger.exception("failed")
    assert EMAIL not in written.text
    assert TOKEN not in written.text
    assert "ValueError: Authorization: Bearer [TOKEN]" in written.text
    assert "KeyError" in written.text
    assert __file__ in written.text


def test_the_text_of_an_exception_that_was_formatted_before_is_redacted() -> None:
    record = logging.makeLogRecord({"msg": "failed", "exc_text": f"ValueError: {EMAIL}"})
    RedactingFilter().filter(record)
    assert record.exc_text == "ValueError: [EMAIL]"


def test_no_handler_behind_can_format_the_exception_again() -> None:
    error = ValueError(EMAIL)
    record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, None)})
    RedactingFilter().filter(record)
    assert EMAIL not in logging.Formatter().format(record)


def test_the_stack_is_redacted() -> None:
    record = logging.makeLogRecord({"msg": "here", "stack_info": f"Stack:\n  login({EMAIL!r})"})
    RedactingFilter().filter(record)
    assert record.stack_info
    assert EMAIL not in record.stack_info
    assert "[EMAIL]" in record.stack_info


def test_a_message_that_does_not_fit_its_arguments_is_no_error_of_the_app(
    logger: logging.Logger, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.info(f"%d tickets of {EMAIL}", "no")  # noqa: G004 - as apps do
    assert EMAIL not in written.text


def test_the_same_record_twice_is_redacted_once() -> None:
    record = logging.makeLogRecord({"msg": f"%s {EMAIL}", "args": ("100 %s",)})
    for _ in range(2):
        assert RedactingFilter().filter(record)
    assert record.getMessage() == "100 %s [EMAIL]"


ATEXT = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-/=?^_`{|}~"
WORD = st.text(ATEXT, min_size=1, max_size=20)
LOCAL_PART = st.lists(WORD, min_size=1, max_size=3).map(".".join)
LABEL = st.lists(st.text("abcxyz019", min_size=1, max_size=10), min_size=1, max_size=3).map("-".join)
DOMAIN = st.lists(LABEL, min_size=2, max_size=10).map(".".join)
AROUND = st.sampled_from(
    ["", " ", "\n", "<", ">", '"', "'", "(", ")", ",", ";", ":", "mailto:", "[", "]", "\t", "–"]
)


@given(LOCAL_PART, DOMAIN, AROUND, AROUND)
def test_no_part_of_an_address_is_left(local: str, domain: str, before: str, after: str) -> None:
    text = redact(f"from {before}{local}@{domain}{after} to us")
    assert "@" not in text
    assert domain not in text
    assert text.startswith("from ")
    assert text.endswith(" to us")


TOKEN68 = st.text("abcXYZ0189-._~+/", min_size=1, max_size=60)


@given(
    st.sampled_from(["Bearer", "bearer", "BEARER"]),
    TOKEN68,
    st.sampled_from(["", "=", "=="]),
    st.integers(1, 300),
)
def test_no_part_of_a_bearer_token_of_any_length_is_left(
    scheme: str, token: str, padding: str, times: int
) -> None:
    text = redact(f"authorization: {scheme} {token * times}{padding}, next")
    assert text == f"authorization: {scheme} [TOKEN], next"


@pytest.mark.parametrize("wrapped", ["{}", "?token={}&x=1", '"{}"', "token:{}", "x={};"])
def test_a_jwt_is_redacted_where_no_scheme_names_it(wrapped: str) -> None:
    assert redact(wrapped.format(TOKEN)) == wrapped.format("[TOKEN]")


def test_a_jwt_of_any_size_is_redacted_whole() -> None:
    token = LocalIdentityProvider().token("alice", groups=["group"] * 5000)
    assert redact(f"got {token} from") == "got [TOKEN] from"


@pytest.mark.parametrize(
    "text",
    [
        "thread=thr_0123456789abcdef0123456789abcdef status=200",
        "2026-01-02T03:04:05Z GET /chatkit 3.5 ms",
        "the bearer",
        "user@ and @user, 5 @ 3",
        "eyJ is how a header begins",
        "550e8400-e29b-41d4-a716-446655440000",
        "",
    ],
)
def test_what_is_neither_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


@given(st.text("a.@-_ eyJbearer%+\n", max_size=200))
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "unit", ["a", "a.", "a@", "a@a.", "-eyJ", "eyJaaaaa.", "-eyJaaaaa.a.", "bearer ", "bearer\t\t"]
)
def test_a_hostile_text_costs_linear_time(unit: str) -> None:
    def cost(size: int) -> float:
        text = unit * (size // len(unit))
        started = time.process_time()
        redact(text)
        return time.process_time() - started

    assert min(cost(200_000) for _ in range(3)) < 40 * max(min(cost(20_000) for _ in range(3)), 0.002)


def test_a_secret_that_looks_like_nothing_is_beyond_this_filter() -> None:
    text = f"password {secrets.token_hex(8)}"
    assert redact(text) == text


# ------------------------------------------------------------------------------------------------ a scrubber


def test_without_a_scrubber_every_detector_is_used(logger: logging.Logger, written: Written) -> None:
    logger.info("card %s", CARD)
    assert CARD not in written.text
    assert written.text.startswith("card [")


def redacted(scrubber: Any = None, keys: Keys | None = None, **fields: Any) -> logging.LogRecord:
    """Return a record that has passed the filter."""
    record = logging.makeLogRecord({"msg": "here", **fields})
    options = {} if keys is None else {"keys": keys}
    assert RedactingFilter(scrubber or labelling(), **options).filter(record)
    return record


def test_a_scrubber_of_the_apps_own_decides_and_bearer_tokens_go_all_the_same() -> None:
    record = redacted(msg=f"%s bob@localhost Bearer {TOKEN} {TOKEN}", args=(CARD,))
    assert record.msg == "[CREDIT_CARD] bob@localhost Bearer [TOKEN] [TOKEN]"


def test_a_scrubber_that_fails_costs_the_text_and_not_the_record() -> None:
    record = redacted(
        Broken(), msg="%s", args=(EMAIL,), exc_text=EMAIL, stack_info=EMAIL, mail=EMAIL, count=3
    )
    assert EMAIL not in repr(vars(record))
    assert record.msg == record.exc_text == record.stack_info == vars(record)["mail"] == UNSCRUBBED
    assert vars(record)["count"] == 3


# ------------------------------------------------------------------------------------------------ extras


def test_extras_are_redacted_however_deep_they_are() -> None:
    held = {"to": ["alice@example.com", {"card": int(CARD)}], "n": 1}
    record = redacted(mail=held, error=ValueError("alice@example.com"))
    assert vars(record)["mail"] == {"to": ["[EMAIL]", {"card": "[CREDIT_CARD]"}], "n": 1}
    assert vars(record)["error"] == "[EMAIL]"
    assert held["to"] == ["alice@example.com", {"card": int(CARD)}]


def test_what_a_name_denies_is_redacted_whole() -> None:
    record = redacted(
        password="hunter", headers={"Authorization": "Basic YTpi", "accept": "*"}, auth=("a", "b")
    )
    found = vars(record)
    assert (found["password"], found["auth"]) == (REDACTED, REDACTED)
    assert found["headers"] == {"Authorization": REDACTED, "accept": "*"}


def test_ids_stay_even_where_they_look_like_an_address() -> None:
    ids: dict[str, Any] = {
        "trace_id": "0" * 32,
        "thread_id": "thr_1",
        "user_id": "alice@example.com",
        "request_id": CARD,
    }
    assert ids.items() <= vars(redacted(**ids)).items()


def test_the_apps_own_rules_for_names_hold() -> None:
    record = redacted(keys=Keys(deny=["colour"], allow=["mail"]), colour="red", mail=CARD, user_id=CARD)
    found = vars(record)
    assert (found["colour"], found["mail"], found["user_id"]) == (REDACTED, CARD, "[CREDIT_CARD]")


class Noting(logging.Filter):
    """Remembers the records that come by."""

    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self._records = records

    def filter(self, record: logging.LogRecord) -> bool:
        self._records.append(record)
        return True


def test_the_fields_of_our_own_records_keep_their_ids(logger: logging.Logger, written: Written) -> None:
    records: list[logging.LogRecord] = []
    written.addFilter(Noting(records))
    fields = {"user_id": "alice@example.com", "key_id": "k1", "issuer": "https://a.example", "reason": EMAIL}
    write(logger, fields)
    assert vars(records[0])["chatkit"] == {**fields, "reason": "[EMAIL]"}
    assert written.text.startswith('user_id="[EMAIL]"')
    assert fields["reason"] == EMAIL


def test_what_every_record_has_is_left_alone() -> None:
    record = logging.LogRecord("a", 30, "/srv/alice@example.com/a.py", 1, "here", None, None, "find")
    before = dict(vars(record))
    RedactingFilter().filter(record)
    assert vars(record) == before


class Hostile(Mapping[str, str]):
    """An extra that cannot be looked at."""

    def __getitem__(self, key: str) -> str:
        raise KeyError(key)

    def __iter__(self) -> Any:
        raise RuntimeError(EMAIL)

    def __len__(self) -> int:
        return 1


def test_what_cannot_be_looked_at_is_left_out() -> None:
    assert vars(redacted(held=Hostile()))["held"] == UNSCRUBBED


# ------------------------------------------------------------------------------------------------ messages


def test_names_in_arguments_decide_before_they_are_text() -> None:
    assert (
        redacted(msg="%(user)s %(password)s", args={"user": "bob", "password": "x"}).msg == f"bob {REDACTED}"
    )
    assert redacted(msg="got %s", args=([{"token": "x"}], 1)).msg == "got %s"
    assert redacted(msg="got %s %s", args=({"token": "x"}, 1)).msg == f"got {{'token': '{REDACTED}'}} 1"


def test_a_message_that_is_json_stays_json() -> None:
    text = json.dumps({"event": 'said "hi"\nalice@example.com', "api_key": "x", "request_id": CARD})
    assert json.loads(redacted(msg=text).getMessage()) == {
        "event": 'said "hi"\n[EMAIL]',
        "api_key": REDACTED,
        "request_id": CARD,
    }


def test_a_message_that_another_handler_has_put_together_is_redacted() -> None:
    record = logging.makeLogRecord({"msg": "from %s", "args": (EMAIL,)})
    logging.Formatter().format(record)
    RedactingFilter().filter(record)
    assert EMAIL not in repr(vars(record))


# ------------------------------------------------------------------------------------------------ exceptions


def test_an_exception_may_be_given_alone_as_makers_of_records_do() -> None:
    record = redacted(exc_info=ValueError("alice@example.com"))
    assert record.exc_text == "ValueError: [EMAIL]"
    assert record.exc_info is None


def test_every_exception_of_a_group_is_redacted() -> None:
    group = ExceptionGroup("both", [ValueError("alice@example.com"), KeyError(CARD)])
    text = redacted(exc_info=group).exc_text
    assert text
    assert "alice" not in text
    assert CARD not in text
    assert "ExceptionGroup: both" in text


def test_what_is_no_exception_is_left_out() -> None:
    assert redacted(exc_info="alice@example.com").exc_text == UNSCRUBBED


# ------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    "options",
    [{"scrubber": "my_app"}, {"scrubber": ""}, {"keys": ["password"]}],
    ids=["a name", "no name", "keys"],
)
def test_what_is_no_scrubber_or_rule_is_refused_at_construction(options: dict[str, Any]) -> None:
    make: Any = RedactingFilter
    with pytest.raises(ConfigurationError):
        make(**options)
