"""Keys, tokens and passwords. None of these opens anything: they are drawn here, or joined from pieces."""

import random
import re
from base64 import b64encode, urlsafe_b64encode
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatkit_prod.pii.detectors.secrets import SECRETS, entropy, has_algorithm
from chatkit_prod.testing import LocalIdentityProvider
from tests.pii.oracle import findings

DRAW = random.Random(3)
ALNUM = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def drawn(size: int, letters: str = ALNUM) -> str:
    """Return letters with some digits among them."""
    return "7" + "".join(DRAW.choices(letters, k=size - 2)) + "4"


def upper(size: int) -> str:
    return drawn(size, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


HEX = "0123456789abcdef"
KEYS = [
    *("sk-" + drawn(size) for size in (20, 48, 300)), "sk-" + "proj-" + drawn(150), "sess-" + drawn(40),
    "sk-" + "ant-api03-" + drawn(93), "AK" + "IA" + upper(16), "AS" + "IA" + upper(16),
    *(f"gh{kind}_" + drawn(36) for kind in "pousr"), "github" + "_pat_" + drawn(82, ALNUM + "_"), "glpat" + "-" + drawn(20),
    "AI" + "za" + drawn(35), "GOCSPX" + "-" + drawn(28), "ya29" + "." + drawn(120), "xoxb" + "-" + drawn(40, "0123456789-a"),
    "xoxe" + ".xoxp-1-" + drawn(60), "xapp" + "-1-" + drawn(40), "sk" + "_live_" + drawn(24), "rk" + "_test_" + drawn(90),
    "pk" + "_live_" + drawn(24), "whsec" + "_" + drawn(32), "SG" + "." + drawn(22) + "." + drawn(43), "AC" + drawn(32, HEX),
    "SK" + drawn(32, HEX), "npm" + "_" + drawn(36), "pypi" + "-AgE" + drawn(150), "hf" + "_" + drawn(34),
    "hooks." + "slack.com/services/" + f"T{upper(9)}/B{upper(9)}/{drawn(24)}",
    "discord" + ".com/api/webhooks/" + drawn(18, "0123456789") + "/" + drawn(68),
]  # fmt: skip
TOKEN = LocalIdentityProvider().token("alice", groups=["group"] * 10)


def jose(header: str) -> str:
    encoded = urlsafe_b64encode(header.encode()).decode().rstrip("=")
    return f"{encoded}.{drawn(60)}.{drawn(43)}"


def pem(kind: str, headers: str = "", indent: str = "", lines: int = 4) -> str:
    body = b64encode(DRAW.randbytes(48 * lines)).decode()
    text = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    marker = "-" * 5
    made = f"{marker}BEGIN {kind}{marker}\n{headers}{text}\n{marker}END {kind}{marker}"
    return made.replace("\n", "\n" + indent)


def kinds(text: str) -> list[tuple[str, str]]:
    return [(found.type, text[found.start : found.end]) for found in findings(text, SECRETS)]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:6])
@pytest.mark.parametrize("around", ["{}", "is {}, and", '"{}"', "({})", "x={}\n", "\N{ZERO WIDTH SPACE}{} "])
def test_a_key_with_a_prefix_is_found_whole(key: str, around: str) -> None:
    assert kinds(around.format(key)) == [("SECRET", key)]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:6])
def test_a_placeholder_is_no_key(key: str) -> None:
    prefix = key[: re.search("[-_./]|(?<=[A-Z]{2})7|za", key).end()]  # type: ignore[union-attr]
    assert kinds(f"such as {prefix}{'x' * (len(key) - len(prefix))} here") == []


@pytest.mark.parametrize(
    "token",
    [
        TOKEN,
        jose('{"typ":"JWT","alg":"HS256"}'),
        jose('{"alg":"HS256","x5c":["' + "A1b2" * 60 + '"]}'),
        jose('{"b64":true,"alg":"EdDSA"}'),
        jose('{"epk":{"kty":"EC"},"alg":"ECDH-ES","enc":"A128GCM"}'),
    ],
    ids=["issued", "typ first", "long", "b64 first", "encrypted"],
)
@pytest.mark.parametrize("around", ["{}", "got {} from", '"{}"', "?t={}&x=1", "\n{}\n"])
def test_a_token_of_any_length_is_found_whole(token: str, around: str) -> None:
    assert kinds(around.format(token)) == [("JWT", token)]


def test_a_token_in_a_list_is_found() -> None:
    token = jose('{"alg":"HS256"}')
    assert kinds(f"a,{token}") == [("JWT", token)]


@pytest.mark.parametrize(
    "text",
    [
        "eyJ is how a header begins",
        "data:application/json;base64," + b64encode(b'{"alg":"none","list":[1,2,3,4,5,6,7,8,9]}').decode(),
        jose('{"name":"a","list":[1,2,3]}'),
        jose("[1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"),
        "eyJ" + "\xe9".encode().hex() + "." + "a" * 20,
    ],
)
def test_what_has_no_header_is_no_token(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("header", ["eyJh", "eyJhbGciOiJI", "eyJ" + "A" * 10, "eyJ4_-", "eyJ" + "M" * 9])
def test_a_header_that_cannot_be_read_is_none(header: str) -> None:
    assert not has_algorithm(f"{header}.abcdefgh")


@pytest.mark.parametrize("indent", ["", "    "])
@pytest.mark.parametrize(
    "kind",
    ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY"],
)
def test_no_line_of_a_private_key_is_left(kind: str, indent: str) -> None:
    key = pem(kind, indent=indent)
    (found,) = kinds(f"key: |\n{indent}{key}\n\nThanks a lot for reading this.")
    assert found[0] == "PRIVATE_KEY"
    assert key.removesuffix(f"-----END {kind}-----") == found[1]


@pytest.mark.parametrize(
    ("kind", "headers"),
    [
        (
            "RSA PRIVATE KEY",
            "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n",
        ),
        ("PGP PRIVATE KEY BLOCK", "Version: GnuPG v2.4.5 (Linux)\nComment: https://example.com\n\n"),
        ("PGP PRIVATE KEY BLOCK", "\n"),
    ],
    ids=["RFC 1421", "OpenPGP", "no headers"],
)
def test_no_line_of_a_key_with_headers_is_left(kind: str, headers: str) -> None:
    key = pem(kind, headers)
    found = kinds(f"see\n{key}\nas said.")
    assert {kind for kind, _ in found} == {"PRIVATE_KEY"}
    assert "".join(part for _, part in found) == key.removesuffix(f"-----END {kind}-----")


def test_a_key_in_a_string_of_json_is_found() -> None:
    key = pem("PRIVATE KEY").replace("\n", "\\n")
    assert kinds(f'{{"private_key": "{key}"}}') == [
        ("PRIVATE_KEY", key.removesuffix("-----END PRIVATE KEY-----"))
    ]


def test_a_key_of_putty_is_found() -> None:
    body = b64encode(DRAW.randbytes(96)).decode()
    assert kinds(f"Private-Lines: 2\n{body[:64]}\n{body[64:]}")[0][1].endswith(body[64:])


@pytest.mark.parametrize(
    "text", ["The line -----BEGIN PRIVATE KEY----- opens it", "-----BEGIN PUBLIC KEY-----\n" + "A1b2" * 16]
)
def test_a_marker_without_a_key_stays(text: str) -> None:
    assert kinds(text) == []


VALUE = drawn(32)


@pytest.mark.parametrize(
    "before",
    [
        'api_key = "', "api_key: ", "API_KEY=", "OPENAI_API_KEY=", "apiKey: '", '"api-key": "', "SECRET_TOKEN=", "token: ",
        "client_secret=", "aws_secret_access_key = ", '"SecretAccessKey": "', "password: ", "DB_PASSWORD=", "pwd=", "Passwort: ",
        "mot de passe : ", "contraseña: ", "senha=", "my password is ", "Passwort lautet ", "Password := ", "ENCRYPTION_KEY=",
    ],
)  # fmt: skip
def test_what_is_assigned_to_a_secret_is_found(before: str) -> None:
    ((kind, found),) = kinds(f"then {before}{VALUE}\n")
    assert kind == "SECRET"
    assert found.endswith(VALUE)


@pytest.mark.parametrize("value", ["hunter2", "Tr0ub4dor&3", "S@feP!ss", "P@ssw0rd!", "qwerty12"])
def test_a_short_password_is_found(value: str) -> None:
    assert len(kinds(f"Password: {value} ")) == 1


@given(
    st.sampled_from(["password", "Password", "secret", "api_key", "token"]),
    st.text("abcdefghij_ .()[]{}", max_size=40),
)
def test_what_has_neither_digits_nor_symbols_is_no_secret(word: str, text: str) -> None:
    assert kinds(f"{word}: {text}") == []


@pytest.mark.parametrize(
    "text",
    [
        "password: please reset it", "token = get_token()", "token = get_token2(x)", "secret = config.secret_v2.value",
        'password = os.environ["DB_PASSWORD"]', "password: ${DB_PASSWORD}", "password: $DB_PASSWORD1", "password: ********",
        "password: xxxxxxxx1", "api_key: YOUR_API_KEY", "api_key = <your key>", "max_tokens: 4096", "token: 1234567890",
        "password: 2026-01-02T03:04:05Z", "password: 12-character", "tokens: v1.2.3", "token: v1.2.3-rc.1", "the secret is out",
        "the password is required", "password=newPassword2", "key: thr_0123456789abcdef", "secret_key_2 = key_2",
        "Bearer of this letter", "Authorization: Bearer $TOKEN", "Bearer xxxxxxxxxxxxxxxxxxxxxxxx", "the bearer authentication-scheme",
    ],
)  # fmt: skip
def test_prose_and_code_are_no_secrets(text: str) -> None:
    assert kinds(text) == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER\t"])
@pytest.mark.parametrize("size", [20, 400])
def test_a_bearer_token_of_any_length_is_found_whole(scheme: str, size: int) -> None:
    token = f"{scheme} {drawn(size, ALNUM + '._~+/-')}=="
    assert kinds(f"Authorization: {token}, next") == [("SECRET", token)]


def test_entropy_is_in_bits_a_character() -> None:
    assert entropy("aaaa") == 0
    assert entropy("abab") == 1
    assert entropy("abcdefgh") == 3


def test_every_detector_has_a_bounded_pattern() -> None:
    for detector in SECRETS:
        assert not re.search(r"(?<!\\)[*+](?![^\[]*\])", detector.pattern), detector.name
    assert all(a.name != b.name for a, b in pairwise(SECRETS))
