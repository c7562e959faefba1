"""Erasing beside others: runs, requests, a second call, a crash; and what Plaid's refusals keep."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from bankloom.core import clock
from bankloom.core.errors import (
    NotFoundError,
    PlaidLimitedError,
    PlaidRefusedError,
    PlaidUnreachableError,
)
from bankloom.models import Erasure, Item, User, erased_rows
from bankloom.services import request_run, sync_item
from bankloom.services.erasures import erase_item, erase_user, finish_erasures, receipts, revoked
from bankloom.services.erasures.erase_item import Wish
from bankloom.services.erasures.work import Effort
from commands import COMMAND
from harness import environment_for, wait_until
from scenes import (
    SYNC_PATH,
    ask_plaid,
    background,
    bank_account,
    holding,
    never,
    person,
    query,
    waiting_for_locks,
)
from workers import ask_for_run, store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

REMOVE = "/item/remove"
WHOLE = Effort(never)
PLAIN = Wish()
TABLES = (
    "users",
    "items",
    "item_products",
    "sync_runs",
    "accounts",
    "balance_snapshots",
    "transactions",
    "transaction_staging",
    "exchange_claims",
    "link_sessions",
    "webhook_deliveries",
    "procrastinate_jobs",
)
HISTORY = """
    INSERT INTO transactions (transaction_id, account_id, item_id, user_id, lineage_id, amount, date,
        pending, payload, created_at, updated_at, removed_at)
    SELECT gen_random_uuid()::text, a.account_id, i.item_id, i.user_id, 'x', n, current_date - n % 700,
        false, '{}', now(), now(), CASE WHEN n % 10 = 0 THEN now() END
    FROM items i JOIN accounts a ON a.item_id = i.item_id, generate_series(1, :rows) n
    WHERE i.item_id = :item_id
"""
TRACES = """
    WITH whose AS (SELECT * FROM items WHERE item_id = :item_id),
    opened AS (
        INSERT INTO link_sessions (user_id, world, products, link_token_hash, expires_at,
            linked_item_ids, exchanged_at)
        SELECT user_id, 'w', '{transactions}', gen_random_uuid()::text, now(), ARRAY[item_id], now()
        FROM whose RETURNING id
    ),
    again AS (
        INSERT INTO link_sessions (user_id, world, products, link_token_hash, expires_at, purpose, item_id)
        SELECT user_id, 'w', '{}', gen_random_uuid()::text, now(), 'repair', item_id FROM whose
    ),
    claimed AS (
        INSERT INTO exchange_claims (public_token_hash, user_id, link_session_id, world, product, state,
            lease_until, item_id)
        SELECT gen_random_uuid()::text, user_id, opened.id, 'w', 'transactions', 'done', now(), item_id
        FROM whose, opened
    ),
    staged AS (
        INSERT INTO transaction_staging (run_id, page, row, op, transaction_id, account_id)
        SELECT id, 0, 0, 2, 't', 'a' FROM sync_runs WHERE item_id = :item_id LIMIT 1
    )
    INSERT INTO webhook_deliveries (jwt_hash, kid, issued_at, received_at, webhook_type, webhook_code,
        item_id, body_sealed, handled_at)
    SELECT item_id, 'k', now(), now(), 'ITEM', 'ERROR', item_id, :body, now() FROM whose
"""


def grown(parts: Runtime, bank: Running, rows: int = 30) -> str:
    """Store an Item with a history and all that may hang on it, synced once, and a run asked for."""
    item_id = store_item(parts, bank)
    ask_for_run(parts, item_id)
    sync_item.now(parts, item_id, never)
    query(parts, HISTORY, item_id=item_id, rows=rows)
    query(parts, TRACES, item_id=item_id, body=parts.keyring.seal("{}", item_id))
    ask_for_run(parts, item_id)
    return item_id


def left(parts: Runtime) -> dict[str, int]:
    """Return how many rows the tables hold that hold any."""
    counts = {table: count(parts, table) for table in TABLES}
    return {table: rows for table, rows in counts.items() if rows}


def count(parts: Runtime, table: str) -> int:
    rows: int = query(parts, f"SELECT count(*) FROM {table}")[0][0]  # noqa: S608 - names from above
    return rows


def erase(parts: Runtime, item_id: str, wish: Wish = PLAIN) -> Erasure:
    return erase_item.now(parts, item_id, WHOLE, wish)


def refusal(code: str, error_type: str = "ITEM_ERROR", **more: Any) -> dict[str, Any]:
    return {"error": {"error_type": error_type, "error_code": code}, **more}


def turn(parts: Runtime) -> None:
    """Let whatever is due be gone on with, though its lease or its wait was not over."""
    due = "UPDATE erasures SET lease_until = now() - interval '1 s', next_try_at = NULL"
    query(parts, f"{due} WHERE finished_at IS NULL")
    finish_erasures.now(parts, never)


def test_an_item_goes_without_a_trace_but_for_its_receipt(parts: Runtime, bank: Running) -> None:
    """Plaid first; then every row of it, the job that waits too; another Item stays. Repeated, nothing."""
    other = grown(parts, bank)
    before = left(parts)
    item_id = grown(parts, bank)
    receipt = erase(parts.acting_for("bl_12345678"), item_id)
    assert left(parts) == before
    assert [call["status"] for call in bank.control.calls(REMOVE)] == [200]
    assert receipt.finished_at
    assert receipt.removal_request_id
    assert (receipt.already_gone, receipt.asked_by) == (None, "bl_12345678")
    told = receipt.rows_deleted
    assert (told["transactions"], told["items"], told["webhook_deliveries"]) == (30, 1, 1)
    assert (told["link_sessions"], told["exchange_claims"], told["transaction_staging"]) == (
        2,
        1,
        1,
    )
    (row,) = query(parts, "SELECT erasures::text AS all FROM erasures")
    assert item_id not in row.all
    assert "access-" not in row.all
    assert erase(parts, item_id).id == receipt.id
    assert [row.item_id for row in query(parts, "SELECT item_id FROM items")] == [other]
    with pytest.raises(NotFoundError):
        erase(parts, "nobody")
    with pytest.raises(NotFoundError):
        erase(parts, other, Wish(reach=uuid.uuid4()))


def test_data_that_is_kept_has_no_token(parts: Runtime, bank: Running) -> None:
    """The history stays, its token and what served its syncs do not; it can be deleted later."""
    item_id = grown(parts, bank)
    receipt = erase(parts, item_id, Wish(keeps_data=True))
    assert receipt.finished_at
    assert (receipt.item_id, receipt.rows_deleted.get("transactions")) == (item_id, None)
    (item,) = query(parts, "SELECT * FROM items")
    assert (item.state, item.access_token_sealed, item.access_token_hash) == ("removed", None, None)
    assert left(parts).keys() == {
        *("users", "items", "item_products", "sync_runs"),
        *("accounts", "balance_snapshots", "transactions"),
    }
    assert {row.status for row in query(parts, "SELECT status FROM sync_runs")} >= {"cancelled"}
    assert erase(parts, item_id, Wish(keeps_data=True)).id == receipt.id
    later = erase(parts, item_id)
    assert (later.already_gone, later.rows_deleted["transactions"]) == ("REMOVED_BEFORE", 30)
    assert left(parts) == {"users": 1}
    assert len(bank.control.calls(REMOVE)) == 1


@pytest.mark.parametrize("code", ["ITEM_NOT_FOUND", "INVALID_ACCESS_TOKEN"])
def test_what_is_gone_at_plaid_counts_as_removed(parts: Runtime, bank: Running, code: str) -> None:
    """Either code: an Item that was half removed can be removed here all the same."""
    item_id = store_item(parts, bank)
    bank.control.fault(REMOVE, **refusal(code))
    receipt = erase(parts, item_id)
    assert receipt.finished_at
    assert receipt.already_gone == code
    assert left(parts) == {"users": 1}


def test_an_older_token_is_no_proof(parts: Runtime, bank: Running) -> None:
    """INVALID_ACCESS_TOKEN of a token that was replaced meanwhile: the current one is asked with."""
    item_id = store_item(parts, bank)
    with background() as start, holding(bank, REMOVE, times=1) as held:
        erasing = start(erase, parts, item_id)
        held.reached()
        with parts.database.session() as session:
            item = session.get_one(Item, item_id)
            token = parts.keyring.open(item.access_token_sealed, item_id)
            fresh = bank_token(bank, token)
            item.access_token_sealed = parts.keyring.seal(fresh, item_id)
            item.access_token_hash = parts.keyring.hash(fresh)
            item.token_generation += 1
        held.release()
        receipt = erasing.result()
    assert (receipt.already_gone, bool(receipt.finished_at)) == (None, True)
    assert [call["status"] for call in bank.control.calls(REMOVE)] == [400, 200]


def bank_token(bank: Running, token: str) -> str:
    fresh: str = ask_plaid(bank, "/item/access_token/invalidate", access_token=token)[
        "new_access_token"
    ]
    return fresh


def test_a_refusal_keeps_everything(parts: Runtime, bank: Running) -> None:
    """Plaid's codes are told, nothing is changed and nothing is asked again; a limit says so."""
    item_id = grown(parts, bank)
    before = left(parts)
    bank.control.fault(REMOVE, **refusal("INVALID_API_KEYS", "INVALID_INPUT", times=1))
    with pytest.raises(PlaidRefusedError) as refused:
        erase(parts, item_id)
    assert refused.value.details["error_code"] == "INVALID_API_KEYS"
    bank.control.fault(REMOVE, **refusal("RATE_LIMIT", "RATE_LIMIT_EXCEEDED", times=1))
    with pytest.raises(PlaidLimitedError):
        erase(parts, item_id)
    assert left(parts) == before
    assert count(parts, "erasures") == 0
    assert sync_item.now(parts, item_id, never) is not None
    assert erase(parts, item_id).finished_at


def test_an_answer_that_was_lost_is_asked_for_again(parts: Runtime, bank: Running) -> None:
    """Whether Plaid removed it is not known, so all is kept, and a turn finds out."""
    item_id = grown(parts, bank)
    bank.control.fault(REMOVE, drop_after_effect=True)
    with pytest.raises(PlaidUnreachableError) as refused:
        erase(parts, item_id)
    receipt_id = uuid.UUID(refused.value.details["receipt_id"])
    (waiting,) = query(parts, "SELECT * FROM erasures")
    assert (waiting.error_code, waiting.id) == ("plaid_unreachable", receipt_id)
    assert timedelta(0) < waiting.next_try_at - clock.now() <= timedelta(minutes=1)
    finish_erasures.now(parts, never)  # it is not due yet
    assert count(parts, "items") == 1
    turn(parts)
    receipt = receipts.find(parts, receipt_id, None).erasure
    assert (bool(receipt.finished_at), receipt.error_code) == (True, None)
    assert receipt.already_gone == "ITEM_NOT_FOUND"
    assert left(parts) == {"users": 1}


def test_a_run_that_is_at_work_discards_what_it_has(parts: Runtime, bank: Running) -> None:
    """Erased while Plaid's pages come in: nothing of them is stored afterwards."""
    item_id = grown(parts, bank)
    with background() as start, holding(bank, SYNC_PATH) as held:
        syncing = start(sync_item.now, parts, item_id, never)
        held.reached()
        assert erase(parts, item_id).finished_at
        held.release()
        assert syncing.result() is None
    assert left(parts) == {"users": 1}


def test_requests_that_meet_an_erasure(parts: Runtime, bank: Running) -> None:
    """Runs asked for, Items looked up and runs begun all the while: nothing hangs, fails or comes back."""
    item_id = grown(parts, bank)
    ends: list[str] = []

    def pester() -> None:
        while True:
            try:
                with parts.database.session() as session:
                    request_run.request(session, item_id, "person", asks_item=True)
            except NotFoundError:
                ends.append("gone")
                return
            sync_item.now(parts, item_id, never)

    with background() as start:
        pesterers = [start(pester) for _ in range(4)]
        wait_until(lambda: count(parts, "sync_runs") > 4)
        receipt = erase(parts, item_id)
        for each in pesterers:
            each.result()
    assert ends == ["gone"] * 4
    turn(parts)  # a batch leaves out what another has in hand
    assert left(parts) == {"users": 1}
    assert receipts.find(parts, receipt.id, None).erasure.finished_at


def test_two_calls_at_once(parts: Runtime, bank: Running) -> None:
    """One does it, the other is told of it: one receipt, one removal."""
    item_id = grown(parts, bank)
    with background() as start, holding(bank, REMOVE) as held:
        first = start(erase, parts, item_id)
        held.reached()
        second = erase(parts, item_id)
        held.release()
        done = first.result()
    assert (second.id, second.finished_at) == (done.id, None)
    assert done.finished_at
    assert len(bank.control.calls(REMOVE)) == 1


def test_a_process_killed_between_plaids_answer_and_the_commit(
    parts: Runtime, bank: Running
) -> None:
    """Plaid has removed it and we have not noted that: a turn does, by what Plaid says now."""
    item_id = grown(parts, bank)
    command = [*COMMAND, "items", "remove", item_id, "--yes"]
    with parts.database.session() as session:
        session.execute(text("SELECT 1 FROM items FOR UPDATE"))
        process = subprocess.Popen(command, env={**os.environ, **environment_for(parts.settings)})
        wait_until(lambda: bank.control.calls(REMOVE) and waiting_for_locks(parts))
        process.send_signal(signal.SIGKILL)
        process.wait()
    (open_,) = query(parts, "SELECT * FROM erasures")
    assert (open_.removed_at, open_.finished_at) == (None, None)
    assert query(parts, "SELECT removed_at FROM items") == [(None,)]
    turn(parts)
    (done,) = query(parts, "SELECT * FROM erasures")
    assert (done.id, done.already_gone, done.attempts) == (open_.id, "ITEM_NOT_FOUND", 2)
    assert (done.asked_by, bool(done.finished_at)) == (open_.asked_by, True)
    assert left(parts) == {"users": 1}


def test_a_long_history_goes_in_batches(
    parts: Runtime, bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is out of time leaves the rest to a turn, and the receipt counts each row once."""
    monkeypatch.setattr(erased_rows, "BATCH_ROWS", 10)
    item_id = grown(parts, bank, rows=95)
    batches: list[tuple[str, int]] = []
    effort = Effort(lambda: len(batches) >= 8, lambda *told: batches.append(told))
    halfway = erase_item.now(parts, item_id, effort)
    assert halfway.removed_at
    assert halfway.finished_at is None
    assert 0 < count(parts, "transactions") < 95
    assert [row.queue_name for row in query(parts, "SELECT * FROM procrastinate_jobs")] == [
        "exchanges"
    ]
    finish_erasures.now(parts, never)
    receipt = receipts.find(parts, halfway.id, None)
    assert receipt.erasure.finished_at
    assert receipt.rows_deleted["transactions"] == 95
    assert max(rows for _, rows in batches) == 10


def test_a_row_in_other_hands_is_left_to_the_next_pass(parts: Runtime, bank: Running) -> None:
    """Erasing waits for nobody while it holds rows, and is not finished before all are gone."""
    item_id = grown(parts, bank)
    with parts.database.session() as session:
        session.execute(text("SELECT 1 FROM webhook_deliveries FOR UPDATE"))
        assert erase(parts, item_id).finished_at is None
        assert left(parts)["webhook_deliveries"] == 1
    finish_erasures.now(parts, never)
    assert {table for table in left(parts) if table != "procrastinate_jobs"} == {"users"}


def test_a_person_goes_with_all_their_banks(parts: Runtime, bank: Running) -> None:
    """Where one bank is not removed the others go; what remains, and why, is told, and tried again."""
    stuck, *others = (grown(parts, bank) for _ in range(2))
    kept = grown(parts, bank)
    erase(parts, kept, Wish(keeps_data=True))
    with parts.database.session() as session:
        user_id = User.get_or_create(session, "ada").id
    query(parts, KEY, user_id=user_id)
    bank.control.fault(
        REMOVE, item_id=stuck, times=1, **refusal("INVALID_API_KEYS", "INVALID_INPUT")
    )
    first = erase_user.now(parts, "ada", WHOLE)
    assert (first.finished_at, first.error_code) == (None, "INVALID_API_KEYS")
    told = {part.item_id: part.error_code for part in receipts.find(parts, first.id, None).parts}
    assert told == {stuck: "INVALID_API_KEYS", None: None}
    assert query(parts, "SELECT item_id FROM items") == [(stuck,)]
    assert count(parts, "api_keys") == 1
    again = erase_user.now(parts, "ada", WHOLE)
    assert (again.id, bool(again.finished_at)) == (first.id, True)
    assert left(parts) == {}
    receipt = receipts.find(parts, first.id, None)
    assert len(receipt.parts) == 1 + len(others) + 1
    assert (receipt.rows_deleted["users"], receipt.rows_deleted["transactions"]) == (1, 90)
    rows = query(parts, "SELECT erasures::text AS all FROM erasures")
    assert not [row for row in rows if str(user_id) in row.all or kept in row.all]
    assert erase_user.now(parts, "ada", WHOLE).id == first.id
    with pytest.raises(NotFoundError):
        erase_user.now(parts, "grace", WHOLE)


KEY = """
    INSERT INTO api_keys (name, prefix, key_hash, scopes, user_id)
    VALUES ('k', 'bl_1', 'h', '{read}', :user_id)
"""


def test_a_person_in_the_middle_of_linking_waits(parts: Runtime, bank: Running) -> None:
    """An exchange that is not settled may end in an Item: the person is erased after it."""
    item_id = store_item(parts, bank)
    claimed = """
        INSERT INTO exchange_claims (public_token_hash, user_id, world, product, lease_until)
        SELECT 'h', user_id, 'w', 'transactions', now() FROM items
    """
    query(parts, claimed)
    waiting = erase_user.now(parts, "ada", WHOLE)
    assert (waiting.error_code, waiting.finished_at) == ("exchange_in_progress", None)
    assert not query(parts, "SELECT 1 FROM items WHERE item_id = :i", i=item_id)
    query(parts, "DELETE FROM exchange_claims")
    turn(parts)
    assert left(parts) == {}


def test_what_was_revoked_is_kept_unless_the_operator_wants_it_gone(
    parts: Runtime, bank: Running
) -> None:
    """With `delete`, after the grace, and only if Plaid still says so; an account goes alone."""
    item_id = grown(parts, bank)
    bank.control.revoke(item_id, update_mode=False)
    ask_for_run(parts, item_id)
    sync_item.now(parts, item_id, never)
    assert query(parts, "SELECT state FROM items") == [("revoked",)]
    long_ago(parts)
    revoked.now(parts, never)
    assert count(parts, "items") == 1
    parts = erasing_revoked(parts)
    bank.control.fault("/item/get", **refusal("X", "API_ERROR"))
    revoked.now(parts, never)
    assert count(parts, "items") == 1
    revoked.now(parts, never)  # within the hour
    assert count(parts, "items") == 1
    query(parts, "DELETE FROM chores")
    revoked.now(parts, never)
    assert left(parts) == {"users": 1}
    assert query(parts, "SELECT asked_by FROM erasures") == [("BANKLOOM_ON_REVOKED",)]


def erasing_revoked(parts: Runtime) -> Runtime:
    return replace(parts, settings=parts.settings.model_copy(update={"on_revoked": "delete"}))


def long_ago(parts: Runtime) -> None:
    query(parts, "UPDATE items SET state_since = state_since - interval '8 days'")


def test_an_account_that_was_taken_back(parts: Runtime, bank: Running) -> None:
    """Its data goes, and its Item's other accounts stay; one that is listed again stays too."""
    login = person(bank_account("A", "0001"), bank_account("B", "0002"))
    item_id = store_item(parts, bank, login)
    ask_for_run(parts, item_id)
    sync_item.now(parts, item_id, never)
    query(parts, HISTORY, item_id=item_id, rows=10)
    gone, stays = sorted(row.account_id for row in query(parts, "SELECT account_id FROM accounts"))
    bank.control.revoke(item_id, account_id=gone)
    note = "UPDATE accounts SET revoked_at = now() - interval '9 days' WHERE account_id = :id"
    for each in (gone, stays):
        query(parts, note, id=each)
    ask_for_run(parts, item_id)
    sync_item.now(parts, item_id, never)
    assert query(parts, "SELECT account_id FROM accounts WHERE revoked_at <> closed_at") == [
        (gone,)
    ]
    query(parts, "UPDATE accounts SET closed_at = closed_at - interval '8 days'")
    parts = erasing_revoked(parts)
    revoked.now(parts, never)
    assert query(parts, "SELECT account_id FROM accounts") == [(stays,)]
    assert query(parts, "SELECT DISTINCT account_id FROM transactions") == [(stays,)]
    (receipt,) = query(parts, "SELECT * FROM erasures")
    assert (receipt.subject, receipt.account_id, receipt.item_id) == ("account", None, None)
    assert receipt.rows_deleted["transactions"] == 10
