"""What becomes of a stored delivery: tried again, replayed, handled when its Item comes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.core import clock, signatures
from bankloom.models import Item, User, WebhookDelivery
from bankloom.services import tick
from bankloom.services.erasures import erase_item
from bankloom.services.erasures.work import Effort
from bankloom.services.store_item import put_item
from bankloom.services.webhooks import actions as webhook_actions
from bankloom.services.webhooks import bodies as webhook_bodies
from bankloom.services.webhooks.actions import ERASED, FIRST_WAIT, LONGEST_WAIT
from bankloom.services.webhooks.receive import Intake, Received
from harness import wait_until
from scenes import never, query, sandbox_public_token, waiting_for_locks
from webhook_sender import body_of, plaid_keys, updates_available
from workers import jobs_of, runs, store_item

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Row

    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running
    from webhook_sender import PlaidKeys


@pytest.fixture
def plaid(bank: Running) -> Iterator[PlaidKeys]:
    """Plaid, with keys."""
    with plaid_keys(bank.url) as door:
        yield door


@pytest.fixture
def settings(settings: Settings, plaid: PlaidKeys) -> Settings:
    """Settings of a service whose Plaid has keys."""
    plaid_settings = settings.plaid.model_copy(update={"base_url": plaid.url})
    return settings.model_copy(update={"plaid": plaid_settings})


@pytest.fixture
def send(parts: Runtime, plaid: PlaidKeys) -> Iterator[Callable[[bytes], Row[Any]]]:
    """Take a webhook in, without a web side and without a worker; return its row."""
    key = plaid.new_key()
    intake = Intake(parts)

    def take_in(body: bytes) -> Row[Any]:
        received = Received([key.jwt(body)], body, None)
        claim = intake.read(received)
        intake.accept(received, claim)
        [row] = query(
            parts, "SELECT * FROM webhook_deliveries WHERE jwt_hash = :hash", hash=claim.jwt_hash
        )
        return row

    yield take_in
    intake.close()


def row_of(parts: Runtime, row: Row[Any]) -> Row[Any]:
    """Read a delivery again."""
    [again] = query(parts, "SELECT * FROM webhook_deliveries WHERE id = :id", id=row.id)
    return again


def end_runs(parts: Runtime) -> None:
    """Let every run and its job be over, as if a worker had done them."""
    query(parts, "UPDATE sync_runs SET status = 'up_to_date'")
    query(parts, "DELETE FROM procrastinate_jobs")


def replayed(parts: Runtime, row: Row[Any]) -> str:
    """Replay a delivery; return the outcome."""
    with parts.database.session() as session:
        delivery = session.get_one(WebhookDelivery, row.id)
        return webhook_actions.replay(parts, session, delivery)


def test_what_no_run_has_answered_is_asked_again(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """The tick asks for another run when the time is over, each time later, and counts."""
    item_id = store_item(parts, bank)
    row = send(body_of("ITEM", "ERROR", item_id=item_id))
    waits: list[timedelta] = []
    for _ in range(8):
        tick.now(parts, [])
        assert row_of(parts, row).attempts == len(waits), "it was not due yet"
        end_runs(parts)
        query(parts, "UPDATE webhook_deliveries SET next_try_at = now() - interval '1 s'")
        tick.now(parts, [])
        assert [run for run in runs(parts, item_id) if run == "queued"] == ["queued"]
        again = row_of(parts, row)
        waits.append(again.next_try_at - clock.now())
    assert again.attempts == 8
    assert timedelta(0) < FIRST_WAIT < waits[0] < waits[1] < waits[-1] <= LONGEST_WAIT


def test_a_delivery_of_an_item_that_was_removed_is_done_with(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """Nothing waits for ever for an Item that is not there any more."""
    item_id = store_item(parts, bank)
    row = send(body_of("ITEM", "ERROR", item_id=item_id))
    query(parts, "UPDATE webhook_deliveries SET next_try_at = now() - interval '1 s'")
    query(parts, "UPDATE items SET removed_at = now()")
    tick.now(parts, [])
    again = row_of(parts, row)
    assert (again.handled_at is None, again.next_try_at) == (False, None)


def test_a_late_webhook_of_an_erased_item_leaves_nothing(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """It is taken, so that Plaid does not repeat it; neither its body nor the Item's id is stored."""
    item_id = store_item(parts, bank)
    kept = store_item(parts, bank)
    erase_item.now(parts, item_id, Effort(never))
    erase_item.now(parts, kept, Effort(never), erase_item.Wish(keeps_data=True))
    row = send(updates_available(item_id))
    assert (row.item_id, row.outcome, row.handled_at is None) == (None, ERASED, False)
    assert parts.keyring.open(row.body_sealed, row.jwt_hash) == "{}"
    assert send(updates_available(kept)).handled_at
    assert query(parts, "SELECT 1 FROM sync_runs") == []
    assert query(parts, "SELECT item_id FROM items") == [(kept,)]
    assert not jobs_of(parts)


def test_a_replay_does_it_again(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """What was handled is handled again, and what waits for an answer waits anew."""
    item_id = store_item(parts, bank)
    rows = [send(updates_available(item_id)), send(body_of("ITEM", "ERROR", item_id=item_id))]
    end_runs(parts)
    with parts.database.session() as session:
        WebhookDelivery.mark_handled(session, [row.id for row in rows], clock.now(), "done")
    outcomes = []
    for row in rows:
        outcomes.append(replayed(parts, row))
        assert runs(parts, item_id).count("queued") == 1
        assert len(jobs_of(parts)) == 1
        end_runs(parts)
    sync, ask = (row_of(parts, row) for row in rows)
    assert [sync.outcome, ask.outcome] == outcomes
    assert (sync.handled_at is None, ask.handled_at) == (False, None)
    assert ask.next_try_at > clock.now()


def test_a_replay_without_anything_to_do(parts: Runtime, send: Callable[[bytes], Row[Any]]) -> None:
    """What is only stored stays so; what waits for its Item goes on waiting."""
    assert replayed(parts, send(body_of("AUTH", "DEFAULT_UPDATE"))) == "stored only"
    waiting = send(updates_available("nobody's"))
    assert replayed(parts, waiting) == waiting.outcome
    assert row_of(parts, waiting).handled_at is None
    with parts.database.session() as session:
        assert WebhookDelivery.waiting_for_an_item(session) == 1


def test_an_item_that_is_stored_in_the_same_moment(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """A delivery that found no Item, and an exchange that found no delivery, do not miss each other."""
    told = parts.plaid.public_token_exchange(sandbox_public_token(bank))
    with ThreadPoolExecutor(1) as pool:
        with parts.database.session() as session:
            put_item(parts, session, User.get_or_create(session, "ada").id, told)
            coming = pool.submit(send, updates_available(told.item_id))
            wait_until(lambda: waiting_for_locks(parts) == 1)
        row = coming.result()
    assert (row.outcome, row.handled_at is None) == ("a run was requested", False)
    assert runs(parts, told.item_id) == ["queued"]


def test_a_run_at_work_does_not_hold_a_delivery_up(
    parts: Runtime, bank: Running, send: Callable[[bytes], Row[Any]]
) -> None:
    """A long apply holds the Item's row; what comes meanwhile is stored all the same."""
    item_id = store_item(parts, bank)
    with parts.database.session() as applying:
        Item.lock(applying, item_id)
        for body in (updates_available(item_id), body_of("ITEM", "ERROR", item_id=item_id)):
            send(body)
        assert runs(parts, item_id) == ["queued"]


def test_a_stored_body_can_be_read_again(parts: Runtime, send: Callable[[bytes], Row[Any]]) -> None:
    """Whole, by whoever has the keyring."""
    row = send(body_of("LINK", "SESSION_FINISHED", public_tokens=["public-1"]))
    assert "public-1" not in str(row)
    with parts.database.session() as session:
        delivery = session.get_one(WebhookDelivery, row.id)
    body = webhook_bodies.opened(parts, delivery)
    assert body["public_tokens"] == ["public-1"]
    assert signatures.HEADER not in body
