"""What a newcomer would try first: printed as commands by the demo, and run by the smoke test."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatkit_prod.testing import LocalIdentityProvider

_THREAD = "$THREAD"
_TOKEN_SECONDS = 12 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the tour: a request.

    Args:
        title: What it shows.
        body: The request as JSON; `$THREAD` stands for the thread whose answer was cut.
        user: Whose token it carries, by the name of a shell variable.
        language: `Accept-Language`.
        seconds: After which the client hangs up; to the end if None.
    """

    title: str
    body: str
    user: str | None = "ALICE"
    language: str | None = None
    seconds: float | None = None

    def headers(self, tokens: Mapping[str, str]) -> dict[str, str]:
        """Return the headers to send.

        Args:
            tokens: What to send for a user: a token, or a shell variable with one.
        """
        headers = {"Content-Type": "application/json"}
        if self.user is not None:
            headers["Authorization"] = f"Bearer {tokens[self.user]}"
        if self.language is not None:
            headers["Accept-Language"] = self.language
        return headers

    def content(self, thread_id: str) -> str:
        """Return the body to send."""
        return self.body.replace(_THREAD, thread_id)

    def command(self) -> str:
        """Return the request as a command for a POSIX shell that has the variables of `variables`."""
        headers = self.headers({name: f"${name}" for name in USERS})
        parts = [
            "curl -sSiN",
            *(f'-H "{name}: {value}"' for name, value in headers.items()),
            f"""-d '{self.content("'$THREAD'")}'""",
        ]
        if self.seconds is None:
            return " \\\n  ".join([*parts, "-w '\\n' \"$URL\""])
        cut = " \\\n  ".join([*parts, f'--max-time {self.seconds:g} "$URL"'])
        return f"THREAD=$({cut} \\\n  | tee /dev/stderr | grep -o 'thr_[0-9a-f]*' | tail -n 1)"


def _request(name: str, **params: Any) -> str:
    return json.dumps({"type": name, "params": params}, ensure_ascii=False)


def _question(text: str) -> str:
    content = [{"type": "input_text", "text": text}]
    return _request("threads.create", input={"content": content, "attachments": [], "inference_options": {}})


USERS = ("ALICE", "BOB")

WITHOUT_TOKEN = Step(title="Without a token: 401.", body=_question("Hello!"), user=None)
WITH_TOKEN = Step(title="With a token: an answer, word by word.", body=_question("Hello!"))
IN_FRENCH = Step(
    title="In French: the progress, the tool and the model speak it.",
    body=_question("Où en est ma commande A-1001 ?"),
    language="fr-CA, fr;q=0.9",
)
DOWN = Step(
    title="In German: the shop is down for this order, and the error speaks it too.",
    body=_question("Wo ist meine Bestellung A-5000?"),
    language="de-AT, de;q=0.9",
)
CUT = Step(
    title="A long answer, cut half-way: the tab is closed.",
    body=_question("Explain everything."),
    seconds=2,
)
READ_BACK = Step(
    title="The thread read back: what had been said is saved.",
    body=_request("threads.get_by_id", thread_id=_THREAD),
)
STRANGER = Step(
    title="Another user asks for the same thread: 404.",
    body=_request("threads.get_by_id", thread_id=_THREAD),
    user="BOB",
)
TOUR = (WITHOUT_TOKEN, WITH_TOKEN, IN_FRENCH, DOWN, CUT, READ_BACK, STRANGER)


def make_tokens(provider: LocalIdentityProvider) -> dict[str, str]:
    """Return a token for each user."""
    return {name: provider.token(name.lower(), expires_in=_TOKEN_SECONDS) for name in USERS}


def print_tour(url: str, tokens: Mapping[str, str]) -> None:
    """Print the commands, ready to paste into another terminal.

    Args:
        url: The ChatKit endpoint.
        tokens: A token for each user.
    """
    print("# Two users. Paste this first:")
    for name, value in {"URL": url, **tokens}.items():
        print(f"{name}={value}")
    for number, step in enumerate(TOUR, 1):
        print(f"\n# {number}. {step.title}\n{step.command()}")
    print(flush=True)
