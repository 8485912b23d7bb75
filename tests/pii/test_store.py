"""What is stored holds no personal data where none is needed, and what the app holds stays as it is."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime
from threading import get_ident
from typing import Any

import pytest
from chatkit.types import (
    Annotation,
    AssistantMessageContent,
    AssistantMessageItem,
    ClientToolCallItem,
    ClosedStatus,
    CustomTask,
    EndOfTurnItem,
    FileAttachment,
    HiddenContextItem,
    InferenceOptions,
    SDKHiddenContextItem,
    TaskItem,
    ThreadItem,
    ThreadMetadata,
    URLSource,
    UserMessageItem,
    UserMessageTagContent,
    UserMessageTextContent,
    WidgetItem,
)
from chatkit.widgets import DynamicWidgetRoot

from chatkit_prod import ConfigurationError, Principal, RequestContext
from chatkit_prod.access import OwnerOnly, OwnershipStore
from chatkit_prod.access.owner import OWNER_KEY, owner_of
from chatkit_prod.pii.detector import Finding
from chatkit_prod.pii.keys import Keys
from chatkit_prod.pii.leaves import REDACTED
from chatkit_prod.pii.scrubber import Scrubbed, Scrubber
from chatkit_prod.pii.store import ScrubbingStore
from chatkit_prod.testing import MemoryStore
from tests.pii.scrubbers import CARD, DETECTORS, EMAIL, Broken, labelling

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, tzinfo=UTC)
FOUND = "[EMAIL]"
THREAD = ThreadMetadata(id="thr_1", created_at=NOW)
BASE: dict[str, Any] = {"id": f"id_{EMAIL}", "thread_id": "thr_1", "created_at": NOW}


class Kept(MemoryStore):
    """A store that shows the very objects that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Any] = []

    async def save_thread(self, thread: ThreadMetadata, context: Any) -> None:
        self.given.append(thread)
        await super().save_thread(thread, context)

    async def save_item(self, thread_id: str, item: ThreadItem, context: Any) -> None:
        self.given.append(item)
        await super().save_item(thread_id, item, context)

    async def save_attachment(self, attachment: Any, context: Any) -> None:
        self.given.append(attachment)
        await super().save_attachment(attachment, context)


async def stored(row: Any, **options: Any) -> Any:
    """Return what a store is given of a row; what the app holds has not changed."""
    inner = Kept()
    await inner.save_thread(THREAD, None)
    make: Any = ScrubbingStore
    store = make(inner, **{"scrubber": labelling(), **options})
    before = deepcopy(row)
    if isinstance(row, ThreadMetadata):
        await store.save_thread(row, None)
    elif isinstance(row, FileAttachment):
        await store.save_attachment(row, None)
    else:
        await store.add_thread_item("thr_1", row, None)
        await store.save_item("thr_1", row, None)
        assert inner.given[-1] == inner.given[-2]
    assert row == before
    return inner.given[-1]


def thread(**fields: Any) -> ThreadMetadata:
    return THREAD.model_copy(update=fields)


def attachment(**fields: Any) -> FileAttachment:
    values: dict[str, Any] = {"id": EMAIL, "name": f"{EMAIL} 1", "mime_type": "text/plain"}
    return FileAttachment(**values | fields)


def message(**fields: Any) -> UserMessageItem:
    content: list[Any] = [
        UserMessageTextContent(text=f"I am {EMAIL}"),
        UserMessageTagContent(id=EMAIL, text=f"@{EMAIL}", data={"mail": EMAIL, "user_id": EMAIL}),
    ]
    values: dict[str, Any] = {
        **BASE,
        "content": content,
        "quoted_text": EMAIL,
        "inference_options": InferenceOptions(model=EMAIL),
    }
    return UserMessageItem(**values | fields)


ANSWER = AssistantMessageItem(
    **BASE,
    content=[
        AssistantMessageContent(
            text=f"Write to {EMAIL}",
            annotations=[Annotation(source=URLSource(title=EMAIL, url="https://a.example"))],
        )
    ],
)
CALL = ClientToolCallItem(
    **BASE,
    call_id=EMAIL,
    name=EMAIL,
    arguments={"to": EMAIL, "thread_id": EMAIL},
    output=[{"card": int(CARD)}, f'{{"mail":"{EMAIL}"}}', None],
)


# ------------------------------------------------------------------------------------------------ by default


async def test_the_metadata_of_a_thread_is_scrubbed() -> None:
    found = await stored(thread(metadata={"mail": [EMAIL], "user_id": EMAIL, "n": 1}, title=EMAIL))
    assert found.metadata == {"mail": [FOUND], "user_id": EMAIL, "n": 1}
    assert found.title == EMAIL


async def test_the_metadata_of_an_attachment_is_scrubbed() -> None:
    found = await stored(attachment(metadata={"from": EMAIL}))
    assert found == attachment(metadata={"from": FOUND})


async def test_arguments_and_output_of_a_client_tool_are_scrubbed() -> None:
    found = await stored(CALL)
    assert found.arguments == {"to": FOUND, "thread_id": EMAIL}
    assert found.output == [{"card": "[CREDIT_CARD]"}, f'{{"mail": "{FOUND}"}}', None]
    assert (found.id, found.call_id, found.name) == (CALL.id, CALL.call_id, CALL.name)


@pytest.mark.parametrize(
    ("content", "clean"), [(EMAIL, FOUND), ({"a": [EMAIL]}, {"a": [FOUND]}), ([EMAIL, 1], [FOUND, 1]), (5, 5)]
)
async def test_hidden_context_is_scrubbed(content: Any, clean: Any) -> None:
    assert (await stored(HiddenContextItem(**BASE, content=content))).content == clean


async def test_hidden_context_of_the_sdk_is_scrubbed() -> None:
    assert (await stored(SDKHiddenContextItem(**BASE, content=f"of {EMAIL}"))).content == f"of {FOUND}"


async def test_the_attachments_of_a_message_lose_their_metadata_alone() -> None:
    item = message(attachments=[attachment(), attachment(metadata={"from": EMAIL})])
    found = await stored(item)
    assert found.attachments == [attachment(), attachment(metadata={"from": FOUND})]
    assert found.content is item.content


PLAIN = (
    thread(metadata={"a": ["b", {"c": 1}], f"{OWNER_KEY}": EMAIL}, title=EMAIL),
    attachment(),
    attachment(metadata={"a": 1}),
    message(),
    ANSWER,
    HiddenContextItem(**BASE, content={"a": "b"}),
    EndOfTurnItem(**BASE),
)


@pytest.mark.parametrize("row", PLAIN, ids=lambda row: type(row).__name__)
async def test_what_holds_nothing_is_passed_on_itself(row: Any) -> None:
    assert await stored(row) is row


# ------------------------------------------------------------------------------------------------ by choice


async def test_titles_are_scrubbed_if_that_is_wanted() -> None:
    row = thread(title=f"Mail to {EMAIL}", status=ClosedStatus(reason=EMAIL), allowed_image_domains=[EMAIL])
    found = await stored(row, titles=True)
    assert (found.title, found.status) == (f"Mail to {FOUND}", ClosedStatus(reason=FOUND))
    assert found.allowed_image_domains == [EMAIL]
    assert await stored(THREAD, titles=True) is THREAD


async def test_what_users_write_is_scrubbed_if_that_is_wanted() -> None:
    found = await stored(message(attachments=[attachment()]), messages=True)
    text, tag = found.content
    assert (text.text, found.quoted_text) == (f"I am {FOUND}", FOUND)
    assert (tag.id, tag.text, tag.data) == (EMAIL, f"@{FOUND}", {"mail": FOUND, "user_id": EMAIL})
    assert found.attachments[0].name == f"{FOUND} 1"
    assert (found.id, found.attachments[0].id, found.inference_options.model) == (BASE["id"], EMAIL, EMAIL)


async def test_what_the_assistant_says_is_scrubbed_if_that_is_wanted() -> None:
    (part,) = (await stored(ANSWER, messages=True)).content
    assert (part.text, part.annotations[0].source.title) == (f"Write to {FOUND}", FOUND)
    assert part.type == "output_text"


async def test_tasks_and_widgets_are_scrubbed_if_that_is_wanted() -> None:
    task = TaskItem(**BASE, task=CustomTask(title=EMAIL, content=EMAIL, icon="mail"))
    assert (await stored(task, messages=True)).task == CustomTask(title=FOUND, content=FOUND, icon="mail")
    parts = [{"type": "Text", "value": EMAIL, "id": EMAIL}, {"type": "Image", "src": f"https://{EMAIL}"}]
    item = WidgetItem.model_validate(
        {**BASE, "widget": {"type": "Card", "key": EMAIL, "children": parts}, "copy_text": EMAIL}
    )
    found = await stored(item, messages=True)
    text, image = found.widget.children
    assert (found.widget.key, found.copy_text) == (EMAIL, FOUND)
    assert (text.value, text.id, image.src) == (FOUND, EMAIL, f"https://{EMAIL}")


async def test_a_widget_that_a_template_has_made_is_scrubbed_too() -> None:
    made = DynamicWidgetRoot.model_validate({"type": "Card", "label": EMAIL, "src": EMAIL, "children": []})
    found = (await stored(WidgetItem(**BASE, widget=made), messages=True)).widget
    assert found.model_dump(exclude_none=True)["label"] == FOUND
    assert found.model_dump(exclude_none=True)["src"] == EMAIL


async def test_names_may_deny_if_that_is_wanted() -> None:
    row = thread(metadata={"page_token": "x"})
    assert (await stored(row, keys=Keys())).metadata == {"page_token": REDACTED}
    assert await stored(row) is row


# ------------------------------------------------------------------------------------------------ the guard


async def test_the_stamp_of_the_owner_stays_though_it_is_an_address() -> None:
    inner = MemoryStore()
    store = OwnershipStore(ScrubbingStore(inner, scrubber=labelling()), policy=OwnerOnly())
    context = RequestContext(principal=Principal(issuer="desk", subject=EMAIL))
    await store.save_thread(thread(metadata={"mail": EMAIL}), context)
    found = await inner.load_thread("thr_1", context)
    owner = owner_of(found)
    assert owner is not None
    assert owner.subject == EMAIL
    assert found.metadata["mail"] == FOUND
    assert (await store.load_thread("thr_1", context)).metadata == {"mail": FOUND}


# ------------------------------------------------------------------------------------------------ the scrubber


async def test_pseudonyms_are_those_of_the_thread() -> None:
    scrubber = Scrubber(DETECTORS, action="pseudonym", key=b"k" * 32)
    expected = scrubber.scrub(EMAIL, scope="thr_1").text
    assert (await stored(CALL, scrubber=scrubber)).arguments["to"] == expected
    assert (await stored(thread(metadata={"a": EMAIL}), scrubber=scrubber)).metadata == {"a": expected}
    row = attachment(metadata={"a": EMAIL}, thread_id="thr_1")
    assert (await stored(row, scrubber=scrubber)).metadata == {"a": expected}


class Slow:
    """A scrubber that may only be called in a thread."""

    is_slow = True

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def scrub(self, text: str, /, *, scope: str = "") -> Scrubbed:
        self.threads.add(get_ident())
        return Scrubbed(FOUND, (Finding("EMAIL", 0, len(text), scope),))

    def stream(self, *, scope: str = "") -> Any:
        raise NotImplementedError


async def test_a_slow_scrubber_does_not_hold_up_the_event_loop() -> None:
    slow = Slow()
    assert (await stored(CALL, scrubber=slow)).arguments["to"] == FOUND
    assert slow.threads
    assert get_ident() not in slow.threads


class Failing(Broken):
    is_slow = False

    def stream(self, *, scope: str = "") -> Any:
        raise NotImplementedError

    def scrub(self, text: str, /, *, scope: str = "") -> Any:
        raise RuntimeError


async def test_if_the_scrubber_fails_nothing_is_stored() -> None:
    inner = Kept()
    store = ScrubbingStore(inner, scrubber=Failing())
    with pytest.raises(RuntimeError):
        await store.save_thread(thread(metadata={"a": EMAIL}), None)
    assert inner.given == []


def wrong() -> Iterable[dict[str, Any]]:
    return ({"scrubber": "mask"}, {"messages": "yes"}, {"titles": 1}, {"keys": ["id"]})


@pytest.mark.parametrize("options", wrong(), ids=str)
def test_wrong_options_are_refused_at_construction(options: dict[str, Any]) -> None:
    make: Any = ScrubbingStore
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        make(MemoryStore(), **{"scrubber": labelling(), **options})
