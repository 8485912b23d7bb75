"""Random histories of threads, users, operators and sweeps that are killed, beside a model that keeps only times."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chatkit.store import NotFoundError
from chatkit.types import ActiveStatus, ClosedStatus, LockedStatus
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chatkit_prod.owner import Owner
from chatkit_prod.retention import RetentionPolicy, RetentionStore, erase_user, hold, release, sweep

from .world import (
    ALICE,
    BOB,
    DAY,
    Clock,
    Files,
    Killable,
    Killed,
    a_message,
    a_thread,
    an_attachment,
    ids,
    put,
)

AGES = {"north": 10, "south": 40}
CLOSED_AGE = 5
STATUSES = {"active": ActiveStatus(), "locked": LockedStatus(), "closed": ClosedStatus()}
PICKS = st.integers(0, 99)
CALLS = st.integers(0, 40)


@dataclass
class Row:
    """What the model knows of a thread."""

    created: datetime
    owner: Owner
    attachments: list[str]
    status: str = "active"
    held: bool = False
    deleted: bool = False

    def is_expired(self, now: datetime) -> bool:
        days = min(AGES[self.owner.tenant or ""], CLOSED_AGE if self.status == "closed" else 99)
        return now >= self.created + days * DAY

    def is_served(self, now: datetime) -> bool:
        return not self.deleted and (self.held or not self.is_expired(now))

    def must_stay(self, now: datetime) -> bool:
        return self.held or self.is_served(now)


class RetentionMachine(RuleBasedStateMachine):
    """What may happen next."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.inner, self.files, self.clock = Killable(), Files(), Clock()
        self.policy = RetentionPolicy(
            max_age=None,
            by_tenant={tenant: days * DAY for tenant, days in AGES.items()},
            by_status={"closed": CLOSED_AGE * DAY},
        )
        self.store = RetentionStore[Any](self.inner, policy=self.policy, clock=self.clock)
        self.rows: dict[str, Row] = {}
        self.number = 0

    def teardown(self) -> None:
        self.runner.close()

    def run(self, call: Any) -> Any:
        return self.runner.run(call)

    def pick(self, pick: int) -> str | None:
        return list(self.rows)[pick % len(self.rows)] if self.rows else None

    # -------------------------------------------------------------------------------------------- users

    @rule(owner=st.sampled_from([ALICE, BOB]), days=st.integers(0, 45), attachments=st.integers(0, 2))
    def a_thread_is_made(self, owner: Owner, days: int, attachments: int) -> None:
        self.number += 1
        thread_id = f"thr_{self.number}"
        made = [f"atc_{self.number}_{number}" for number in range(attachments)]
        thread = a_thread(thread_id, owner=owner)
        thread.created_at = self.clock.now - days * DAY
        self.run(put(self.inner, self.files, thread, *made))
        self.rows[thread_id] = Row(thread.created_at, owner, made)

    @rule(pick=PICKS, status=st.sampled_from(list(STATUSES)))
    def its_status_changes(self, pick: int, status: str) -> None:
        async def change(thread_id: str) -> None:
            thread = await self.store.load_thread(thread_id, None)
            await self.store.save_thread(thread.model_copy(update={"status": STATUSES[status]}), None)

        if (thread_id := self.pick(pick)) and self.attempt(thread_id, change(thread_id)):
            self.rows[thread_id].status = status

    @rule(pick=PICKS)
    def a_user_writes(self, pick: int) -> None:
        if thread_id := self.pick(pick):
            self.attempt(
                thread_id, self.store.save_item(thread_id, a_message(thread_id, item_id="msg_2"), None)
            )

    @rule(pick=PICKS)
    def a_user_deletes_a_thread(self, pick: int) -> None:
        thread_id = self.pick(pick)
        if thread_id and self.attempt(thread_id, self.store.delete_thread(thread_id, None)):
            row = self.rows[thread_id]
            row.deleted = True
            if not row.held:
                del self.rows[thread_id]  # its attachments stay: so ChatKit has it

    @rule(pick=PICKS, other=PICKS)
    def an_attachment_is_bound_to_another_thread(self, pick: int, other: int) -> None:
        thread_id, other_id = self.pick(pick), self.pick(other)
        if not thread_id or not other_id or thread_id == other_id or not self.rows[thread_id].attachments:
            return
        if not all(self.rows[found].is_served(self.clock.now) for found in (thread_id, other_id)):
            return  # a sweep that was killed may have deleted it already
        moved = self.rows[thread_id].attachments[-1]
        if self.attempt(thread_id, self.store.save_attachment(an_attachment(moved, other_id), None)):
            self.run(
                self.inner.add_thread_item(other_id, a_message(other_id, moved, item_id=f"m_{moved}"), None)
            )
            self.rows[thread_id].attachments.remove(moved)
            self.rows[other_id].attachments.append(moved)

    def attempt(self, thread_id: str, call: Any) -> bool:
        """Do what works for what is served, and for nothing else."""
        served = self.rows[thread_id].is_served(self.clock.now)
        try:
            self.run(call)
        except NotFoundError:
            assert not served
            return False
        assert served
        return True

    # ---------------------------------------------------------------------------------------- operators

    @rule(hours=st.integers(1, 400))
    def time_goes_by(self, hours: int) -> None:
        self.clock.now += hours * DAY / 24

    @rule(pick=PICKS)
    def a_thread_is_held(self, pick: int) -> None:
        if thread_id := self.pick(pick):
            with suppress(NotFoundError):  # it may have been swept already
                self.run(hold(self.store, thread_id, reason="case", context=None))
                self.rows[thread_id].held = True

    @rule(pick=PICKS)
    def a_hold_ends(self, pick: int) -> None:
        thread_id = self.pick(pick)
        if thread_id and self.rows[thread_id].held:
            self.run(release(self.store, thread_id, reason="end", context=None, attachment_store=self.files))
            self.rows[thread_id].held = False
            if self.rows[thread_id].deleted:
                self.is_gone(thread_id)

    @rule(batch=st.integers(1, 5), dry_run=st.booleans())
    def a_sweep_ends(self, batch: int, dry_run: bool) -> None:
        before = set(self.inner._threads)
        expired = {
            found for found, row in self.rows.items() if found in before and not row.must_stay(self.clock.now)
        }
        report = self.run(self.sweep(batch=batch, dry_run=dry_run))
        assert (report.deleted, report.failed) == (len(expired), 0)
        assert set(self.inner._threads) == (before if dry_run else before - expired)
        if not dry_run:
            for thread_id in expired:
                self.is_gone(thread_id)

    @rule(batch=st.integers(1, 5), calls=CALLS)
    def a_sweep_is_killed(self, batch: int, calls: int) -> None:
        def count(name: str) -> None:
            nonlocal calls
            calls -= 1
            if calls < 0:
                raise Killed

        self.inner.before_call = count
        with suppress(Killed, BaseExceptionGroup):
            self.run(self.sweep(batch=batch))
        self.inner.before_call = lambda name: None

    @rule(pick=PICKS, owner=st.sampled_from([ALICE, BOB]), dry_run=st.booleans())
    def a_user_is_erased(self, pick: int, owner: Owner, dry_run: bool) -> None:
        report = self.run(
            erase_user(
                self.store,
                owner,
                context=None,
                attachment_store=self.files,
                pause=0,
                batch=3,
                dry_run=dry_run,
            )
        )
        theirs = {found for found, row in self.rows.items() if row.owner == owner}
        held = {found for found in theirs if self.rows[found].held}
        assert (set(report.held), report.failed) == (held, ())
        for thread_id in () if dry_run else theirs - held:
            self.is_gone(thread_id)
        for thread_id in () if dry_run else held:
            self.rows[thread_id].deleted = True

    def sweep(self, **options: Any) -> Any:
        return sweep(
            self.store,
            policy=self.policy,
            context=None,
            attachment_store=self.files,
            clock=self.clock,
            pause=0,
            **options,
        )

    def is_gone(self, thread_id: str) -> None:
        row = self.rows.pop(thread_id)
        assert thread_id not in self.inner._threads
        assert thread_id not in self.inner._items
        assert not self.inner._attachments.keys() & set(row.attachments)
        assert not self.files.bytes.keys() & set(row.attachments)

    # ---------------------------------------------------------------------------------------- what holds

    @invariant()
    def nothing_expired_is_served_and_nothing_live_is_gone(self) -> None:
        now = self.clock.now
        served = {found for found, row in self.rows.items() if row.is_served(now)}
        assert set(self.run(ids(self.store))) == served
        for thread_id, row in self.rows.items():
            found = self.run(self.outcomes(thread_id, row.attachments))
            if thread_id in served:
                assert all(found)
            else:
                assert not any(found[:3])
            if row.must_stay(now):
                assert thread_id in self.inner._threads
                assert "msg_1" in self.inner._items[thread_id]
                assert set(row.attachments) <= self.inner._attachments.keys() & self.files.bytes.keys()

    async def outcomes(self, thread_id: str, attachments: list[str]) -> list[bool]:
        found = list[bool]()
        for call in (
            self.store.load_thread(thread_id, None),
            self.store.load_thread_items(thread_id, None, 10, "asc", None),
            self.store.load_item(thread_id, "msg_1", None),
            *(self.store.load_attachment(attachment, None) for attachment in attachments),
        ):
            try:
                await call
                found.append(True)
            except NotFoundError:
                found.append(False)
        return found


def run(*, histories: int, steps: int = 25) -> None:
    run_state_machine_as_test(
        RetentionMachine,
        settings=settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
