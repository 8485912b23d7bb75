"""What tools reach for: every method of both stores, with rows of anybody, forged stamps and wrong threads."""

from datetime import datetime
from typing import Any

from chatkit.types import (
    ActiveStatus,
    AssistantMessageContent,
    AssistantMessageItem,
    AttachmentCreateParams,
    ClientToolCallItem,
    ClosedStatus,
    FileAttachment,
    InferenceOptions,
    LockedStatus,
    StructuredInputFreeform,
    StructuredInputItem,
    ThreadItem,
    ThreadMetadata,
    ThreadStatus,
    UserMessageItem,
    UserMessageTextContent,
    WidgetItem,
)

from chatkit_prod.access import OWNER_KEY

from .oracle import Reaching, Trial
from .world import NOW, USERS, ToolCall, User

LOADS = ("load_thread", "load_threads", "load_thread_items", "load_item", "load_attachment")
SAVES = ("save_thread", "make_thread", "add_thread_item", "save_item")
DELETES = ("delete_thread", "delete_thread_item", "delete_attachment")
ATTACHES = ("create_file", "make_attachment", "save_attachment")

Plan = tuple[str, int, int]
"""What a tool is to do, and two numbers that choose among the rows that there are by then."""


class ToolTrial(Trial):
    """Makes plans into calls, and says which of them are out of reach."""

    def script(self, user: User, plans: list[Plan]) -> list[ToolCall]:
        """Return the calls of several plans."""
        return [self.planned(user, plan).call for plan in plans]

    def planned(self, user: User, plan: Plan) -> Reaching:
        """Return the call of a plan."""
        method, first, second = plan
        reaching: Reaching = getattr(self, f"plan_{method}")(user, first, second)
        return reaching

    def plan_load_thread(self, user: User, first: int, second: int) -> Reaching:
        thread = self.pick("thread", user, first)
        return Reaching(ToolCall("load_thread", (thread[1],)), self.beyond(user, thread, "read"))

    def plan_save_thread(self, user: User, first: int, second: int) -> Reaching:
        """Save a thread that there is; some lock it, and some forge a stamp."""
        thread = self.pick("thread", user, first)
        if thread not in self.rows:
            return self.plan_make_thread(user, first, second)
        row = ThreadMetadata(
            id=thread[1],
            title=f"saved by {user.mark}",
            status=self.status(user, second),
            created_at=datetime.fromisoformat(self.row(thread)["created_at"]),
            metadata=self.forged(second),
        )
        return Reaching(ToolCall("save_thread", (row,)), self.beyond(user, thread, "write"), has_twin=False)

    def plan_make_thread(self, user: User, first: int, second: int) -> Reaching:
        thread_id = self.new_id("thr", user)
        row = ThreadMetadata(id=thread_id, title=user.mark, created_at=NOW, metadata=self.forged(second))
        return Reaching(ToolCall("save_thread", (row,)))

    def plan_delete_thread(self, user: User, first: int, second: int) -> Reaching:
        thread = self.pick("thread", user, first)
        return Reaching(ToolCall("delete_thread", (thread[1],)), self.beyond(user, thread, "write"))

    def plan_load_threads(self, user: User, first: int, second: int) -> Reaching:
        thread = self.pick("thread", user, first)
        cursor, beyond = (thread[1], self.beyond(user, thread, "read")) if second % 2 else (None, [])
        return Reaching(ToolCall("load_threads", (1 + second % 7, cursor, "asc")), beyond)

    def plan_load_thread_items(self, user: User, first: int, second: int) -> Reaching:
        item = self.pick_item(user, first, second)
        return Reaching(
            ToolCall("load_thread_items", (item[1], item[2], 3, "asc")), self.beyond(user, item, "read")
        )

    def plan_load_item(self, user: User, first: int, second: int) -> Reaching:
        item = self.pick_item(user, first, second)
        return Reaching(ToolCall("load_item", item[1:]), self.beyond(user, item, "read"))

    def plan_add_thread_item(self, user: User, first: int, second: int) -> Reaching:
        """Add an item to a thread; some say of themselves that they are in another one."""
        thread = self.pick("thread", user, first)
        home = self.pick("thread", user, second // 2) if second % 2 else thread
        item = self.item(user, home[1], self.new_id("msg", user), second)
        beyond = self.beyond(user, thread, "write") or ([] if home == thread else [home[1]])
        return Reaching(ToolCall("add_thread_item", (thread[1], item)), beyond)

    def plan_save_item(self, user: User, first: int, second: int) -> Reaching:
        """Save an item over one that there is."""
        found = self.pick("item", user, first)
        item = self.item(user, found[1], found[2], second)
        if not self.reaches(user, found, "write"):
            beyond = self.beyond(user, ("thread", found[1]), "write")
            return Reaching(ToolCall("save_item", (found[1], item)), beyond)
        return Reaching(ToolCall("save_item", (found[1], item)))

    def plan_delete_thread_item(self, user: User, first: int, second: int) -> Reaching:
        _, thread_id, item_id = self.pick_item(user, first, second)
        beyond = self.beyond(user, ("thread", thread_id), "write")
        return Reaching(ToolCall("delete_thread_item", (thread_id, item_id)), beyond)

    def plan_load_attachment(self, user: User, first: int, second: int) -> Reaching:
        attachment = self.pick("attachment", user, first)
        return Reaching(ToolCall("load_attachment", attachment[1:]), self.beyond(user, attachment, "read"))

    def plan_save_attachment(self, user: User, first: int, second: int) -> Reaching:
        """Bind an attachment that there is to a thread, or loosen it."""
        attachment, thread = self.pick("attachment", user, first), self.pick("thread", user, second)
        if attachment not in self.rows:
            return self.plan_make_attachment(user, first, second)
        thread_id = thread[1] if second % 4 else None
        row = self.attachment(user, attachment[1], thread_id, second)
        beyond = self.beyond(user, thread, "write") if thread_id else []
        if not beyond and self.reaches(user, attachment, "write"):
            bound = self.row(attachment)["thread_id"]
            beyond = [] if bound in (None, thread_id) else [attachment[1]]
            return Reaching(ToolCall("save_attachment", (row,)), beyond, has_twin=False)
        has_twin = bool(beyond)
        beyond = beyond or [attachment[1]]
        return Reaching(ToolCall("save_attachment", (row,)), beyond, has_twin=has_twin)

    def plan_make_attachment(self, user: User, first: int, second: int) -> Reaching:
        thread = self.pick("thread", user, first)
        row = self.attachment(user, self.new_id("atc", user), thread[1], second)
        return Reaching(ToolCall("save_attachment", (row,)), self.beyond(user, thread, "write"))

    def plan_delete_attachment(self, user: User, first: int, second: int) -> Reaching:
        attachment = self.pick("attachment", user, first)
        place = "files.delete_attachment" if second % 2 else "delete_attachment"
        return Reaching(ToolCall(place, attachment[1:]), self.beyond(user, attachment, "write"))

    def plan_create_file(self, user: User, first: int, second: int) -> Reaching:
        params = AttachmentCreateParams(name=user.mark, size=5, mime_type="text/plain")
        return Reaching(ToolCall("files.create_attachment", (params,)))

    def furniture(self, user: User) -> list[ToolCall]:
        """Return the calls that make a thread with one of everything, and one with nothing."""
        thread_id = self.new_id("thr", user)
        common: dict[str, Any] = {"thread_id": thread_id, "created_at": NOW}
        text = UserMessageTextContent(text=user.mark)
        question = StructuredInputFreeform(id="q1", question=user.mark)
        widget = {"type": "Card", "children": [{"type": "Text", "value": user.mark}]}
        call: dict[str, Any] = {"call_id": "call", "name": "look", "arguments": {"at": user.mark}}
        items: list[ThreadItem] = [
            UserMessageItem(
                id=self.new_id("msg", user),
                content=[text],
                inference_options=InferenceOptions(),
                **common,
            ),
            WidgetItem.model_validate({"id": self.new_id("wig", user), "widget": widget, **common}),
            StructuredInputItem(id=self.new_id("frm", user), inputs=[question], **common),
            ClientToolCallItem(id=self.new_id("ctc", user), **call, **common),
        ]
        thread = ThreadMetadata(id=thread_id, created_at=NOW, title=user.mark)
        bare = ThreadMetadata(id=self.new_id("thr", user), created_at=NOW, title=user.mark)
        attachment = FileAttachment(id=self.new_id("atc", user), name=user.mark, mime_type="text/plain")
        return [
            ToolCall("save_thread", (thread,)),
            ToolCall("save_thread", (bare,)),
            *(ToolCall("add_thread_item", (thread_id, item)) for item in items),
            ToolCall("save_attachment", (attachment,)),
        ]

    def forged(self, pick: int) -> dict[str, Any]:
        """Return metadata, in most cases with a stamp that says whose the row is to be."""
        return {OWNER_KEY: USERS[pick % 4].stamp} if pick % 4 < len(USERS) else {}

    def status(self, user: User, pick: int) -> ThreadStatus:
        choices = (ActiveStatus(), LockedStatus(reason=f"locked by {user.mark}"), ClosedStatus())
        return choices[pick % len(choices)]

    def item(self, user: User, thread_id: str, item_id: str, pick: int) -> ThreadItem:
        common: dict[str, Any] = {"id": item_id, "thread_id": thread_id, "created_at": NOW}
        if pick % 2:
            content = [AssistantMessageContent(text=user.mark)]
            return AssistantMessageItem(content=content, **common)
        text = UserMessageTextContent(text=user.mark)
        return UserMessageItem(content=[text], inference_options=InferenceOptions(), **common)

    def attachment(self, user: User, attachment_id: str, thread_id: str | None, pick: int) -> FileAttachment:
        return FileAttachment(
            id=attachment_id,
            name=user.mark,
            mime_type="text/plain",
            thread_id=thread_id,
            metadata=self.forged(pick),
        )
