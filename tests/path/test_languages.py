"""The example speaks the user's language end to end: to the user, to the model, and in what its layers refuse."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agents.items import TResponseStreamEvent

from chatkit_prod.testing import Answer, chatkit_request, user_message
from examples.support_desk.app import create_app, identity_provider
from examples.support_desk.model import ScriptedModel
from examples.support_desk.server import INSTRUCTIONS

from .servers import serve
from .wire import ask

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is said in one language.

    Args:
        header: How the user asks for it.
        locale: How the app spells it.
        instruction: The last line of the prompt.
        progress: Of the tool.
        answer: The result of the tool, and the model's words about it.
        down: The error of a tool.
        absent: For a thread that is not there.
        nobody: For a request without a token.
    """

    header: str
    locale: str
    instruction: str
    progress: str
    answer: str
    down: str
    absent: str
    nobody: str


each_language = pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            Said(
                header="en-GB, en;q=0.8",
                locale="en",
                instruction="Answer in English.",
                progress="Looking up your order…",
                answer="Your order A-1001 is on its way. Is there anything else?",
                down="The shop does not answer. Try again in a few minutes.",
                absent="This could not be found.",
                nobody="Sign in to continue.",
            ),
            id="English",
        ),
        pytest.param(
            Said(
                header="fr-CA, fr;q=0.9, en;q=0.1",
                locale="fr",
                instruction="Answer in French.",
                progress="Je cherche votre commande…",
                answer="Votre commande A-1001 est en route. Puis-je faire autre chose pour vous ?",
                down="La boutique ne répond pas. Réessayez dans quelques minutes.",
                absent="Cet élément est introuvable.",
                nobody="Connectez-vous pour continuer.",
            ),
            id="French",
        ),
        pytest.param(
            Said(
                header="gsw, de-AT;q=0.5",
                locale="de",
                instruction="Answer in German.",
                progress="Ich suche Ihre Bestellung …",
                answer="Ihre Bestellung A-1001 ist unterwegs. Kann ich sonst noch etwas für Sie tun?",
                down="Der Shop antwortet nicht. Versuchen Sie es in ein paar Minuten noch einmal.",
                absent="Das konnte nicht gefunden werden.",
                nobody="Melden Sie sich an, um fortzufahren.",
            ),
            id="German",
        ),
    ],
)


class RecordingModel(ScriptedModel):
    """Keeps the prompts that it is given."""

    def __init__(self) -> None:
        super().__init__(pause=0)
        self.prompts: list[str | None] = []

    def stream_response(
        self, system_instructions: str | None, *args: Any, **options: Any
    ) -> AsyncIterator[TResponseStreamEvent]:
        self.prompts.append(system_instructions)
        return super().stream_response(system_instructions, *args, **options)


@pytest.fixture
def model() -> RecordingModel:
    return RecordingModel()


@pytest.fixture
async def port(tmp_path: Path, model: RecordingModel) -> AsyncGenerator[int]:
    async with serve(create_app(tmp_path / "desk.sqlite3", model=model)) as port:
        yield port


def headers_of(said: Said) -> Mapping[str, str]:
    return {
        "authorization": f"Bearer {identity_provider.token('alice')}",
        "accept-language": said.header,
    }


async def question(port: int, text: str, said: Said) -> Answer:
    body = chatkit_request("threads.create", input=user_message(text))
    answer, complete = await ask(port, body, headers=headers_of(said))
    assert complete
    assert answer.status == 200
    assert_language(answer, said)
    return answer


def assert_language(answer: Answer, said: Said) -> None:
    assert answer.headers["content-language"] == said.locale
    varies = {name.strip().lower() for name in answer.headers["vary"].split(",")}
    assert "accept-language" in varies


def told(answer: Answer, kind: str) -> list[Any]:
    return [event for event in answer.events if event["type"] == kind]


@each_language
async def test_tool_and_model_answer_in_the_users_language(
    port: int, model: RecordingModel, said: Said
) -> None:
    answer = await question(port, "A-1001?", said)
    assert [event["text"] for event in told(answer, "progress_update")] == [said.progress]
    item = told(answer, "thread.item.done")[-1]["item"]
    assert [part["text"] for part in item["content"]] == [said.answer]
    assert model.prompts == [f"{INSTRUCTIONS}\n{said.instruction}"] * 2  # before and after the tool


@each_language
async def test_an_error_of_a_tool_is_in_the_users_language(port: int, said: Said) -> None:
    answer = await question(port, "A-5000?", said)
    assert told(answer, "error") == [
        {"type": "error", "code": "custom", "message": said.down, "allow_retry": True}
    ]


@each_language
async def test_what_the_layers_refuse_is_in_the_users_language(port: int, said: Said) -> None:
    absent = chatkit_request("threads.get_by_id", thread_id="thr_0")
    for status, message, headers in (
        (404, said.absent, headers_of(said)),
        (401, said.nobody, {"accept-language": said.header}),
    ):
        answer, _ = await ask(port, absent, headers=headers)
        assert (answer.status, answer.json()["message"]) == (status, message)
        assert_language(answer, said)
