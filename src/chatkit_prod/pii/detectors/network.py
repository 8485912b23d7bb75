"""Addresses of machines, and URLs that hold a password."""

import re

from chatkit_prod.pii.detector import ALNUM, Detector

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_HEX = "[0-9A-Fa-f]{1,4}"
_BYTE = "[0-9A-Fa-f]{2}"
_LETTER = re.compile("[A-Fa-f]")
_GIVEN_OUT = re.compile(
    "[23][0-9A-Fa-f]{3}:|[Ff](?:[CDcd][0-9A-Fa-f]|[Ee][89ABab]|[Ff][0-9A-Fa-f])[0-9A-Fa-f]:"
)
_MAX_GROUPS = 7
"""A `::` stands for at least one of the eight groups (RFC 4291 §2.2)."""


def is_host(address: str) -> bool:
    """Tell whether an IPv4 address may be somebody's: not loopback, not a mask, not the version `1.2.3.4`."""
    return not address.startswith(("0.", "127.", "255.")) and any(
        len(part) > 1 for part in address.split(".")
    )


def is_compressed(address: str) -> bool:
    """Tell whether this is an IPv6 address with `::`, and not a name or a slice in a program.

    Those in use are global unicast, unique local, link-local or multicast (RFC 4291 §2.4).
    """
    return address.count(":") - address.endswith("::") <= _MAX_GROUPS and bool(_GIVEN_OUT.match(address))


def has_letter(address: str) -> bool:
    """Tell a hardware address from a number in groups."""
    return bool(_LETTER.search(address))


NETWORK = (
    Detector(
        name="url_credentials",
        type="URL_CREDENTIALS",
        # RFC 3986 §3.2.1; a brace or an angle bracket stands for a value yet to be filled in
        pattern=r"""[A-Za-z][0-9A-Za-z+.-]{1,11}://[^\t\n\r "#'/:<>?@`{}]{0,40}:[^\t\n\r "#'/<>?@`{}]{1,96}@""",
        trigger="://",
        lead=12,
        before=f"{ALNUM}+.-",
        after="",
    ),
    Detector(
        name="ipv6",
        type="IP",
        pattern=f"{_HEX}:{_HEX}(?::{_HEX}){{6}}",
        trigger=":",
        lead=4,
        before=f"{ALNUM}:.",
        after=f"[{ALNUM}]|:[0-9A-Fa-f:]",
    ),
    Detector(
        name="ipv6_compressed",
        type="IP",
        pattern=f"{_HEX}:(?:{_HEX}:){{0,5}}:(?:{_HEX}(?::{_HEX}){{0,5}})?",
        trigger=":",
        lead=4,
        before=f"{ALNUM}:.",
        after=f"[{ALNUM}]|:[0-9A-Fa-f:]",
        check=is_compressed,
    ),
    *(
        Detector(
            name=name,
            type="IP",
            pattern=pattern + _IPV4,
            trigger=":",
            lead=lead,
            before=f"{ALNUM}:.",
            after=rf"[{ALNUM}]|\.[0-9]",
        )
        for name, pattern, lead in (
            ("ipv6_mapped", "::[Ff]{4}:", 0),  # RFC 4291 §2.5.5.2
            ("ipv6_translated", "64:[Ff]{2}9[Bb]::", 2),  # RFC 6052 §2.1
            ("ipv6_with_ipv4", f"{_HEX}:{_HEX}(?::{_HEX}){{4}}:", 4),  # RFC 4291 §2.2
        )
    ),
    Detector(
        name="ipv4",
        type="IP",
        pattern=_IPV4,
        trigger="[0-9]",
        before=f"{ALNUM}._",
        after=rf"[{ALNUM}_]|\.[0-9]",
        check=is_host,
    ),
    Detector(
        name="mac",
        type="MAC",
        pattern=f"{_BYTE}:{_BYTE}(?::{_BYTE}){{4}}",
        trigger=":",
        lead=2,
        before=f"{ALNUM}:.",
        after=f":?[{ALNUM}]",
    ),
    Detector(
        name="mac_dashed",
        type="MAC",
        pattern=f"{_BYTE}-{_BYTE}(?:-{_BYTE}){{4}}",
        trigger="-",
        lead=2,
        before=f"{ALNUM}:.-",
        after=f"[.-]?[{ALNUM}]",
        check=has_letter,
    ),
    Detector(
        name="mac_dotted",
        type="MAC",
        # As network devices write it; beginning with a digit, so that not every word is tried
        pattern=r"[0-9][0-9A-Fa-f]{3}(?:\.[0-9A-Fa-f]{4}){2}",
        trigger="[0-9]",
        before=f"{ALNUM}:.-",
        after=f"[.-]?[{ALNUM}]",
        check=has_letter,
    ),
)
