"""Keys, tokens and passwords: whoever reads them can act as their owner.

Most providers give their keys a prefix, so that programs like this one can find them. The rest is known by what it is
assigned to, and by looking random: prose and code stand behind the same words.
"""

import re
from base64 import urlsafe_b64decode
from json import loads
from math import log2

from chatkit_prod.pii.detector import ALNUM, Detector

_WORD = f"{ALNUM}_"
_BASE64URL = "0-9A-Za-z_-"

_UNLIKE, _RANDOM, _MIXED = 2.0, 2.5, 3.0
"""Bits a character: of six letters, of twelve, of sixteen that were drawn at random, less a margin."""


def entropy(text: str) -> float:
    """Return how many bits a character of a text tells, by the text itself: 0 for one letter over and over."""
    return -sum((n := text.count(letter) / len(text)) * log2(n) for letter in set(text))


def is_random(text: str) -> bool:
    """Tell whether the first characters of a key look random: no placeholder of one letter, no word."""
    is_mixed = any(map(str.islower, text)) and any(map(str.isupper, text))
    return entropy(text) >= _RANDOM and (is_mixed or any(map(str.isdigit, text)))


def is_password(text: str) -> bool:
    """Tell whether what is assigned to a password looks like one, rather than like prose, code or a placeholder."""
    kinds = [any(map(kind, text)) for kind in (str.islower, str.isupper, str.isdigit, _is_symbol)]
    is_mixed = (kinds[2] and (kinds[0] or kinds[1])) or sum(kinds) > len("aA")
    return is_mixed and entropy(text) >= _UNLIKE and not _CODE.fullmatch(text) and not _PLAIN.fullmatch(text)


def is_token(text: str) -> bool:
    """Tell whether what is assigned to a key or a token looks like one."""
    return is_password(text) and sum(letter.isdigit() for letter in text) > 1 and entropy(text) >= _MIXED


def has_algorithm(token: str) -> bool:
    """Tell whether a token begins with a JOSE header, which must name an algorithm: RFC 7515 §4.1.1, RFC 7516 §4.1.1."""
    header = token.partition(".")[0]
    try:
        return "alg" in loads(urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except ValueError:
        return False


def _is_symbol(letter: str) -> bool:
    return not letter.isalnum() and letter not in "._-/:"


_CODE = re.compile(
    r"(?:[A-Za-z_]+[0-9]?(?:\.|::|->))+[A-Za-z_]+[0-9]?"
    r"|[A-Za-z]+(?:_[A-Za-z]+)+_?[0-9]?"
    r"|[A-Za-z_]*(?:[Pp]ass|[Tt]oken|[Ss]ecret|[Kk]ey|xxx)[A-Za-z_]*[0-9]?"
)
_PLAIN = re.compile(r"[0-9][0-9.,:/TZ+-]*[A-Za-z]{0,2}|v[0-9.]+(?:-[a-z]+[.]?[0-9]*)?|[0-9]+-[A-Za-z]+")


def _any_case(word: str) -> str:
    """Return a pattern for a word in any case."""
    return "".join(f"[{letter.upper()}{letter}]" if letter.isalpha() else letter for letter in word)


def _key(name: str, pattern: str, trigger: str, *, lead: int = 0, tail: str = _BASE64URL) -> Detector:
    """Return what finds keys with a prefix: their first characters, and then as far as they go."""
    prefix = re.compile(r"[A-Za-z]+[-_.]?")
    return Detector(
        name=name,
        type="SECRET",
        pattern=pattern,
        trigger=trigger,
        lead=lead,
        before=f"{_WORD}-",
        after="" if tail else f"[{_WORD}]",
        check=lambda found: is_random(prefix.sub("", found, count=1)),
        tail=tail,
    )


_KEYS = (
    # OpenAI (sk-proj-, sk-svcacct-, sess-), Anthropic (sk-ant-api03-), and others that took it over
    _key("openai_anthropic", "(?:sk|sess)-(?:[a-z]{2,10}[0-9]{0,2}-){0,2}[0-9A-Za-z_-]{20}", "-", lead=4),
    _key("stripe", "[srp]k_(?:live|test)_[0-9A-Za-z]{10}", "_", lead=2, tail="0-9A-Za-z"),
    _key("stripe_webhook", "whsec_[0-9A-Za-z+/]{20}", "_", lead=5, tail="0-9A-Za-z+/="),
    _key("aws_key_id", "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}", "[0-9]", lead=20, tail=""),
    _key("github", "gh[pousr]_[0-9A-Za-z]{30}", "_", lead=3, tail="0-9A-Za-z_"),
    _key("github_fine", "github_pat_[0-9A-Za-z_]{30}", "_", lead=6, tail="0-9A-Za-z_"),
    _key(
        "gitlab",
        "gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[0-9A-Za-z_-]{20}",
        "-",
        lead=7,
    ),
    _key("google_api", "AIza[0-9A-Za-z_-]{35}", "AIza", tail=""),
    _key("google_client", "GOCSPX-[0-9A-Za-z_-]{20}", "-", lead=6),
    _key("google_access", "ya29[.][0-9A-Za-z_-]{20}", "ya29[.]"),
    _key("slack", "xox[a-z](?:[.]xox[a-z])?-[0-9A-Za-z-]{10}", "-", lead=9, tail="0-9A-Za-z-"),
    _key("slack_app", "xapp-[0-9]-[0-9A-Za-z-]{10}", "-", lead=4, tail="0-9A-Za-z-"),
    _key(
        "slack_webhook",
        "hooks[.]slack[.]com/(?:services|workflows|triggers)/[0-9A-Z]{8,12}/",
        "hooks[.]slack",
        tail="0-9A-Za-z/_-",
    ),
    _key("discord_webhook", "discord(?:app)?[.]com/api/webhooks/[0-9]{16,20}/", "discord"),
    _key("sendgrid", "SG[.][0-9A-Za-z_-]{16,32}[.][0-9A-Za-z_-]{16}", "SG[.]"),
    _key("twilio", "(?:AC|SK)[0-9a-f]{32}", "[0-9]", lead=33, tail=""),
    _key("npm", "npm_[0-9A-Za-z]{36}", "_", lead=3, tail=""),
    _key("pypi", "pypi-AgE[0-9A-Za-z_-]{20}", "-", lead=4),
    _key("hugging_face", "hf_[0-9A-Za-z]{30}", "_", lead=2, tail="0-9A-Za-z"),
)

_HEADER = "eyJ(?:hbGci|0eXAi|raWQi|jdHki|lbmMi|4NXQ|4NWMi|qa3Ui|qd2si|6aXAi|jcml0)"
_JWT = (
    Detector(
        name="jwt",
        type="JWT",
        # The first name in a JOSE header: alg, typ, kid, cty, enc, x5t, x5c, jku, jwk, zip or crit, without spaces
        pattern=f"{_HEADER}[0-9A-Za-z_-]{{12}}",
        trigger="eyJ",
        before=f"{_WORD}+/,.-",  # a data URL has a comma before its base64
        after="",
        tail="0-9A-Za-z_.-",
    ),
    Detector(
        name="jwt_header",
        type="JWT",
        pattern="eyJ[0-9A-Za-z_-]{10,110}[.][0-9A-Za-z_-]{8}",
        trigger="eyJ",
        before=f"{_WORD}+/-",
        after="",
        check=has_algorithm,
        tail="0-9A-Za-z_.-",
    ),
)

_BREAK = "[ \t\r\n\\\\]{1,48}"  # also where it is escaped, as in a string of JSON
_PEM_BODY = "0-9A-Za-z+/= \t\r\n\\\\"
_PEM = (
    Detector(
        name="private_key",
        type="PRIVATE_KEY",
        # RFC 7468 §10, §11; OpenSSH; RFC 9580 §6.2. A hyphen ends the body, for it begins the line behind it
        pattern=f"-----BEGIN [A-Z0-9 ]{{0,20}}PRIVATE KEY(?: BLOCK)?-----{_BREAK}(?:[0-9A-Za-z+/=]{{16}}|[A-Z][A-Za-z-]{{3,9}}:)",
        trigger="-----BEGIN ",
        before=f"{ALNUM}-",
        after="",
        tail=_PEM_BODY,
    ),
    Detector(
        name="private_key_header",
        type="PRIVATE_KEY",
        # RFC 1421 §4.6, RFC 9580 §6.2.2.1: lines between the marker and the body
        pattern="(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): [ -~]{0,80}[\r\n]",
        trigger="Proc-Type|DEK-Info|Version|Comment|Charset|Hash",
        after="",
        context=("private key",),
        tail=_PEM_BODY,
    ),
    Detector(
        name="private_key_putty",
        type="PRIVATE_KEY",
        pattern=f"Private-Lines: [0-9]{{1,3}}{_BREAK}[0-9A-Za-z+/=]{{16}}",
        trigger="Private-Lines: ",
        after="",
        tail=_PEM_BODY,
    ),
)

_OWNERS = (
    "access", "account", "admin", "api", "app", "auth", "aws", "bot", "client", "db", "encryption", "id", "master",
    "private", "refresh", "root", "secret", "session", "shared", "signing", "user",
)  # fmt: skip
_OWNER = f"(?:{'|'.join(map(_any_case, _OWNERS))})[_ .-]?"
_PASSWORD = "|".join(
    (
        *map(_any_case, ("password", "passwd", "passwort", "kennwort", "mot de passe", "senha", "pwd")),
        f"{_any_case('pass')}[_ -]?(?:{_any_case('phrase')}|{_any_case('code')})",
        f"{_any_case('contrase')}[Nn\xe9][Aa]",
    )
)
_PASSWORDS = f"(?:{_OWNER})?(?:{_PASSWORD})"
_TOKENS = (
    f"(?:{_OWNER}){{0,2}}(?:{_any_case('token')}|{_any_case('secret')})|(?:{_OWNER}){{1,2}}{_any_case('key')}"
)
_IS = "[\"'`*]{0,2}(?: {0,2}(?::=|=>|->|[:=]) {0,2}| (?:is|ist|lautet|est|es|\xe9)[: ] ?)[\"'`*]{0,2}"
_VALUE = "[0-9A-Za-z!@#$%^&*+./_~?-]"
_SPLIT = re.compile(f"(?:{_PASSWORDS}|{_TOKENS}){_IS}")


def _value(found: str) -> str:
    """Return what is assigned."""
    value = _SPLIT.sub("", found, count=1)
    return "" if value[0] in "$%*#&" else value.rstrip(".!?*")


_ASSIGNED = (
    Detector(
        name="password",
        type="SECRET",
        pattern=f"(?:{_PASSWORDS}){_IS}{_VALUE}{{6,40}}",
        trigger="pass|pwd|kennw|senha|contrase",
        lead=len("encryption_mot de "),
        after=r"[(\[{]",
        check=lambda found: is_password(_value(found)),
        tail="0-9A-Za-z!@#$%^&*+./_~=-",
    ),
    Detector(
        name="token",
        type="SECRET",
        pattern=f"(?:{_TOKENS}){_IS}{_VALUE}{{10,40}}",
        trigger="token|secret|key",
        lead=2 * len("encryption_"),
        after=r"[(\[{]",
        check=lambda found: is_token(_value(found)),
        tail="0-9A-Za-z+./_~=-",
    ),
    Detector(
        name="bearer",
        type="SECRET",
        # RFC 6750 §2.1
        pattern=f"{_any_case('bearer')}[ \t]{{1,8}}[0-9A-Za-z._~+/-]{{16}}",
        trigger="bearer",
        after="",
        check=lambda found: is_random(found.split()[1]),
        tail="0-9A-Za-z._~+/=-",
    ),
)

SECRETS: tuple[Detector, ...] = (*_PEM, *_JWT, *_KEYS, *_ASSIGNED)
"""Keys, tokens and passwords."""
