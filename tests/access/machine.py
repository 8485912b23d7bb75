"""Random sequences of everything that three users and a stranger can do: all operations, and tools."""

import logging
from collections.abc import Callable
from typing import Any, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from chatkit_prod.testing import chatkit_request, one_of_each, user_message

from .oracle import TRANSCRIBE, hold
from .tool_plans import ATTACHES, DELETES, LOADS, SAVES, Plan, ToolTrial
from .world import USERS, User

STEPS = 20

ACTORS = st.sampled_from(USERS)
ORDERS = st.sampled_from(["asc", "desc"])
PICKS = st.integers(0, 999)
"""Which of the rows that there are or have been."""


def planning(*methods: str) -> st.SearchStrategy[Plan]:
    """Choose what a tool is to do."""
    return st.tuples(st.sampled_from(methods), PICKS, PICKS)


PLANS = st.lists(planning(*LOADS, *SAVES, *DELETES, *ATTACHES), max_size=3)


class AccessMachine(ToolTrial, RuleBasedStateMachine):
    """What anybody may do next. Takes what a `Trial` takes."""

    def teardown(self) -> None:
        """Close what was opened."""
        self.close()

    @initialize()
    def everybody_has_one_of_everything(self) -> None:
        for user in USERS:
            script = self.furniture(user)
            assert self.ask(user, TRANSCRIBE, script).outcomes == ["done"] * len(script)

    # ------------------------------------------------------------------------------------------ operations

    @rule(user=ACTORS, attachments=st.lists(PICKS, max_size=2), plans=PLANS)
    def somebody_creates_a_thread(self, user: User, attachments: list[int], plans: list[Plan]) -> None:
        found = [self.pick("attachment", user, pick) for pick in attachments]
        message = user_message(user.mark, attachments=[key[1] for key in found])
        beyond = [key[1] for key in found if not self.may_bind(user, key, None)]
        self.ask_about(
            user, chatkit_request("threads.create", input=message), beyond, self.script(user, plans)
        )

    @rule(user=ACTORS, pick=PICKS, attachments=st.lists(PICKS, max_size=2), plans=PLANS)
    def somebody_writes_a_message(
        self, user: User, pick: int, attachments: list[int], plans: list[Plan]
    ) -> None:
        thread = self.pick("thread", user, pick)
        found = [self.pick("attachment", user, pick) for pick in attachments]
        message = user_message(
            user.mark, attachments=[key[1] for key in found], quoted_text=f"quoted by {user.mark}"
        )
        body = chatkit_request("threads.add_user_message", thread_id=thread[1], input=message)
        beyond = self.beyond(user, thread, "write") + [
            key[1] for key in found if not self.may_bind(user, key, thread[1])
        ]
        self.take_turn(user, body, beyond, self.script(user, plans), thread=thread)

    @rule(user=ACTORS, pick=PICKS, plans=PLANS)
    def a_client_answers_a_tool(self, user: User, pick: int, plans: list[Plan]) -> None:
        thread = self.pick("thread", user, pick)
        result = {"found": user.mark}
        body = chatkit_request("threads.add_client_tool_output", thread_id=thread[1], result=result)
        beyond = self.beyond(user, thread, "write")
        self.take_turn(user, body, beyond, self.script(user, plans), thread=thread)

    @rule(user=ACTORS, pick=PICKS, elsewhere=PICKS, plans=PLANS)
    def somebody_fills_in_a_form(self, user: User, pick: int, elsewhere: int, plans: list[Plan]) -> None:
        item = self.pick_item(user, pick, elsewhere, "frm")
        answers = {"q1": {"values": [user.mark]}}
        body = chatkit_request(
            "threads.add_structured_input", thread_id=item[1], item_id=item[2], input={"answers": answers}
        )
        beyond = self.beyond(user, item, "write")
        self.take_turn(user, body, beyond, self.script(user, plans), thread=("thread", item[1]))

    @rule(user=ACTORS, pick=PICKS, elsewhere=PICKS, plans=PLANS)
    def somebody_tries_again(self, user: User, pick: int, elsewhere: int, plans: list[Plan]) -> None:
        item = self.pick_item(user, pick, elsewhere, "msg")
        body = chatkit_request("threads.retry_after_item", thread_id=item[1], item_id=item[2])
        beyond = self.beyond(user, item, "write")
        self.take_turn(user, body, beyond, self.script(user, plans), thread=("thread", item[1]))

    @rule(
        user=ACTORS,
        pick=PICKS,
        elsewhere=PICKS,
        operation=st.sampled_from(["threads.custom_action", "threads.sync_custom_action"]),
        plans=PLANS,
    )
    def somebody_presses_a_button(
        self, user: User, pick: int, elsewhere: int, operation: str, plans: list[Plan]
    ) -> None:
        item = self.pick_item(user, pick, elsewhere, "wig")
        action = {"type": "open", "payload": {"text": user.mark}}
        body = chatkit_request(operation, thread_id=item[1], item_id=item[2], action=action)
        self.ask_about(user, body, self.beyond(user, item, "write"), self.script(user, plans))

    @rule(user=ACTORS, pick=PICKS)
    def somebody_opens_a_thread(self, user: User, pick: int) -> None:
        thread = self.pick("thread", user, pick)
        body = chatkit_request("threads.get_by_id", thread_id=thread[1])
        answer = self.ask_about(user, body, self.beyond(user, thread, "read"))
        if answer:
            hold(answer.json()["id"] == thread[1], "opened another thread")

    @rule(user=ACTORS, size=st.integers(1, 5), order=ORDERS)
    def somebody_walks_through_their_threads(self, user: User, size: int, order: str) -> None:
        found: list[str] = []
        cursor: str | None = None
        expected = self.listed(user, order)
        for _ in range(len(self.rows) + 1):
            body = chatkit_request("threads.list", limit=size, order=order, after=cursor)
            page = self.ask(user, body).answer.json()
            found += [thread["id"] for thread in page["data"]]
            cursor = page.get("after")
            if not page["has_more"]:
                break
        hold(found == expected, f"listed {found}, not {expected}")

    @rule(user=ACTORS, pick=PICKS, order=ORDERS)
    def somebody_goes_on_behind_a_thread(self, user: User, pick: int, order: str) -> None:
        thread = self.pick("thread", user, pick)
        body = chatkit_request("threads.list", order=order, after=thread[1])
        self.ask_about(user, body, self.beyond(user, thread, "read"))

    @rule(user=ACTORS, pick=PICKS)
    def somebody_renames_a_thread(self, user: User, pick: int) -> None:
        thread = self.pick("thread", user, pick)
        body = chatkit_request("threads.update", thread_id=thread[1], title=f"renamed by {user.mark}")
        self.ask_about(user, body, self.beyond(user, thread, "write"))

    @rule(user=ACTORS, pick=PICKS)
    def somebody_deletes_a_thread(self, user: User, pick: int) -> None:
        thread = self.pick("thread", user, pick)
        body = chatkit_request("threads.delete", thread_id=thread[1])
        if self.ask_about(user, body, self.beyond(user, thread, "write")):
            hold(thread not in self.rows, "did not delete a thread")

    @rule(user=ACTORS, pick=PICKS, order=ORDERS)
    def somebody_lists_the_items_of_a_thread(self, user: User, pick: int, order: str) -> None:
        thread = self.pick("thread", user, pick)
        body = chatkit_request("items.list", thread_id=thread[1], order=order, limit=100)
        answer = self.ask_about(user, body, self.beyond(user, thread, "read"))
        if answer:
            found = {("item", thread[1], item["id"]) for item in answer.json()["data"]}
            stored = {key for key in self.rows if key[:2] == ("item", thread[1])}
            hold(found == stored, f"listed {found}, not {stored}")

    @rule(user=ACTORS, pick=PICKS, elsewhere=PICKS, order=ORDERS)
    def somebody_goes_on_behind_an_item(self, user: User, pick: int, elsewhere: int, order: str) -> None:
        item = self.pick_item(user, pick, elsewhere)
        body = chatkit_request("items.list", thread_id=item[1], order=order, after=item[2], limit=2)
        self.ask_about(user, body, self.beyond(user, item, "read"))

    @rule(user=ACTORS, pick=PICKS, elsewhere=PICKS, plans=PLANS)
    def somebody_praises_an_item(self, user: User, pick: int, elsewhere: int, plans: list[Plan]) -> None:
        item = self.pick_item(user, pick, elsewhere)
        body = chatkit_request("items.feedback", thread_id=item[1], item_ids=[item[2]], kind="positive")
        self.ask_about(user, body, self.beyond(user, item, "write"), self.script(user, plans))

    @rule(user=ACTORS, name=st.sampled_from(["stored", "made"]))
    def somebody_registers_an_attachment(self, user: User, name: str) -> None:
        params = {"name": f"{name} by {user.mark}", "size": 5, "mime_type": "text/plain"}
        self.ask_about(user, chatkit_request("attachments.create", **params), [])

    @rule(user=ACTORS, pick=PICKS)
    def somebody_deletes_an_attachment(self, user: User, pick: int) -> None:
        attachment = self.pick("attachment", user, pick)
        body = chatkit_request("attachments.delete", attachment_id=attachment[1])
        if self.ask_about(user, body, self.beyond(user, attachment, "write")):
            left = {attachment, ("file", attachment[1])} & self.rows.keys()
            hold(not left, f"did not delete {left}")

    @rule(user=ACTORS, operation=st.sampled_from(sorted(one_of_each())), pick=PICKS)
    def nobody_gets_anywhere(self, user: User, operation: str, pick: int) -> None:
        _, thread_id, item_id = self.pick("item", user, pick)
        _, attachment_id = self.pick("attachment", user, pick)
        bodies = one_of_each(thread_id=thread_id, item_id=item_id, attachment_id=attachment_id)
        exchange = self.ask(None, bodies[operation])
        hold(exchange.answer.status == 401, f"let nobody in: {operation}")
        hold(not exchange.calls, f"worked for nobody: {operation}")

    # ---------------------------------------------------------------------------------------------- tools

    @rule(user=ACTORS, plan=planning(*LOADS))
    def a_tool_loads(self, user: User, plan: Plan) -> None:
        self.call(user, self.planned(user, plan))

    @rule(user=ACTORS, plan=planning(*SAVES))
    def a_tool_saves(self, user: User, plan: Plan) -> None:
        self.call(user, self.planned(user, plan))

    @rule(user=ACTORS, plan=planning(*DELETES))
    def a_tool_deletes(self, user: User, plan: Plan) -> None:
        self.call(user, self.planned(user, plan))

    @rule(user=ACTORS, plan=planning(*ATTACHES))
    def a_tool_attaches(self, user: User, plan: Plan) -> None:
        self.call(user, self.planned(user, plan))

    @rule(user=ACTORS, pick=PICKS, how=st.integers(1, 2))
    def a_tool_locks_a_thread_in_which_the_user_writes(self, user: User, pick: int, how: int) -> None:
        thread = self.pick("thread", user, 2 * pick + 1)
        self.call(user, self.plan_save_thread(user, 2 * pick + 1, how))
        message = user_message(user.mark)
        body = chatkit_request("threads.add_user_message", thread_id=thread[1], input=message)
        self.take_turn(user, body, self.beyond(user, thread, "write"), [], thread=thread)

    @rule(user=ACTORS, attachment=PICKS, thread=PICKS)
    def a_tool_binds_an_attachment_of_the_user(self, user: User, attachment: int, thread: int) -> None:
        self.call(user, self.plan_save_attachment(user, 2 * attachment + 1, 2 * thread + 1))


MachineOf = Callable[[], AccessMachine]


def run(machine: MachineOf, *, sequences: int, **options: Any) -> None:
    """Run as many random sequences, each on a machine of its own."""
    chosen = settings(
        max_examples=sequences,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=False,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
        **options,
    )
    logging.disable(logging.CRITICAL)  # nobody reads what is refused, and to write it down takes longer
    try:
        run_state_machine_as_test(cast("type[AccessMachine]", machine), settings=chosen)
    finally:
        logging.disable(logging.NOTSET)
