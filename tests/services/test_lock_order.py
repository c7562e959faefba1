"""Commits that meet: they wait in a line, or leave a row to whoever has it, and none of them fails."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from procrastinate.jobs import Job
from sqlalchemy import text

from bankloom.core import clock
from bankloom.models import ExchangeClaim, ItemProduct, LinkSession, ProductState, User
from bankloom.services import end_lost_jobs, jobs, tick
from bankloom.services.exchange_token import Exchange
from bankloom.services.find_linker import Linker
from bankloom.services.plaid_messages import TokenExchanged
from bankloom.services.store_item import put_item
from harness import WAIT_SECONDS, wait_until
from scenes import background, query, waiting_for_locks
from workers import jobs_of, leave_behind, runs, store_item

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

TOKEN = "public-sandbox-00000000-0000-0000-0000-000000000000"
SESSION = """
    INSERT INTO link_sessions (user_id, world, products, link_token_sealed, link_token_hash, expires_at)
    VALUES (:user_id, 'world', '{transactions}', 'sealed', :hash, now() - interval '1 day')
"""


def new_user(parts: Runtime) -> uuid.UUID:
    with parts.database.session() as session:
        return User.get_or_create(session, "ada").id


def forget(parts: Runtime, user_id: uuid.UUID) -> None:
    with parts.database.session() as session:
        User.forget_if_unused(session, user_id)


def exchange_of(parts: Runtime, user_id: uuid.UUID | None) -> Exchange:
    return Exchange(parts, TOKEN, "transactions", Linker("ada", user_id))


def test_nobody_forgets_a_user_who_is_being_used(parts: Runtime) -> None:
    """A refused call that forgets its user waits for a commit that is about to refer to them."""
    user_id = new_user(parts)
    with background() as start:
        with parts.database.session() as session:
            assert User.get_or_create(session, "ada").id == user_id
            forgetting = start(forget, parts, user_id)
            wait_until(lambda: forgetting.done() or waiting_for_locks(parts) == 1)
            session.execute(text(SESSION), {"user_id": user_id, "hash": "new"})
        forgetting.result()
    assert [row.id for row in query(parts, "SELECT id FROM users")] == [user_id]


def test_a_claim_for_a_user_who_was_forgotten_meanwhile(parts: Runtime) -> None:
    """The id that a call read before its claim may be gone; the person is known by their name."""
    forgotten = new_user(parts)
    forget(parts, forgotten)
    assert exchange_of(parts, forgotten).claim() == 1
    (claim,) = query(parts, "SELECT name FROM exchange_claims JOIN users u ON u.id = user_id")
    assert claim.name == "ada"


def test_a_claim_that_is_released_while_another_call_takes_it(parts: Runtime) -> None:
    """The claim is given back before the user is: the other call has locked the user already."""
    user_id = new_user(parts)
    exchange = exchange_of(parts, user_id)
    assert exchange.claim() == 1
    (row,) = query(parts, "SELECT * FROM exchange_claims")
    same = ExchangeClaim(**{name: value for name, value in row._asdict().items() if value})
    with background() as start:
        with parts.database.session() as session:
            User.get_or_create(session, "ada")
            release = start(exchange.release, 1)
            wait_until(lambda: waiting_for_locks(parts) == 1)
            assert ExchangeClaim.take(session, same, clock.now()) == 1
        release.result()
    assert [row.id for row in query(parts, "SELECT id FROM users")] == [user_id]


def test_old_link_tokens_in_other_hands_are_left(parts: Runtime) -> None:
    """Wiping waits for nobody: each call does it, and two could wait for each other."""
    user_id = new_user(parts)
    for name in ("held", "free"):
        query(parts, SESSION, user_id=user_id, hash=name)
    held = "SELECT 1 FROM link_sessions WHERE link_token_hash = 'held' FOR UPDATE"
    with parts.database.session() as session, background() as start:
        session.execute(text(held))
        start(wipe, parts).result(WAIT_SECONDS)
    left = query(parts, "SELECT link_token_hash FROM link_sessions WHERE link_token_sealed <> ''")
    assert [row.link_token_hash for row in left] == ["held"]


def wipe(parts: Runtime) -> None:
    with parts.database.session() as session:
        LinkSession.wipe_old(session, clock.now())


def test_two_ticks_that_queue_the_same_items(parts: Runtime, bank: Running) -> None:
    """Two ticks at once that found two Items due in opposite orders queue both, and neither fails."""
    first, last, between, then = (store_item(parts, bank) for _ in range(4))
    with background() as start:
        with holding_job(parts, then):
            with holding_job(parts, between):
                make_due(parts, first, between, last)
                one = start(tick.now, parts, [])
                wait_until(lambda: waiting_for_locks(parts) == 1)
                make_due(parts, last, then, first)
                other = start(tick.now, parts, [])
                wait_until(lambda: waiting_for_locks(parts) == 2)
            wait_until(lambda: one.done() or waiting_for_locks(parts) == 2)
        one.result()
        other.result()
    assert {job.lock for job in jobs_of(parts, "todo")} == {first, last, between, then}


@contextmanager
def holding_job(parts: Runtime, item_id: str) -> Iterator[None]:
    """Hold up whoever queues the Item, until the end of the block."""
    with parts.database.session() as session:
        jobs.later(session, item_id)
        yield


def make_due(parts: Runtime, *items: str) -> None:
    """Make just these Items due, in this order."""
    query(parts, "UPDATE item_products SET next_try_at = NULL")
    for number, item_id in enumerate(items):
        due = clock.now() - timedelta(minutes=len(items) - number)
        change = "UPDATE item_products SET next_try_at = :due WHERE item_id = :item_id"
        query(parts, change, due=due, item_id=item_id)


def test_a_lost_job_whose_end_comes_after_all(parts: Runtime, bank: Running) -> None:
    """A job that its worker, or another tick, is just ending is left to it; the tick goes on."""
    item_id, other = store_item(parts, bank), store_item(parts, bank)
    for each in (item_id, other):
        leave_behind(parts, each, None)
    with parts.database.session() as session, background() as start:
        (row,) = (row for row in jobs_of(parts) if row.lock == item_id)
        assert jobs.end_lost(session, row.id)
        start(end_lost_jobs.now, parts).result(WAIT_SECONDS)
        assert [job.lock for job in jobs_of(parts)] == [item_id]
    assert jobs_of(parts) == []


def test_a_job_whose_silent_worker_spoke_again(parts: Runtime, bank: Running) -> None:
    """A job that ended between the look for silent workers and the takeover is not taken over."""
    item_id = store_item(parts, bank)
    leave_behind(parts, item_id, None)
    (row,) = jobs_of(parts)
    job = Job(
        id=row.id,
        queue=row.queue_name,
        lock=row.lock,
        queueing_lock=None,
        task_name=row.task_name,
        task_kwargs=row.args,
    )
    tick.take_over(parts, job)
    assert runs(parts, item_id) == ["queued"]
    tick.take_over(parts, job)
    assert [job.status for job in jobs_of(parts)] == ["todo"]
    query(parts, "DELETE FROM sync_runs")
    tick.take_over(parts, job)
    assert runs(parts, item_id) == []


def test_another_access_token_while_a_tag_is_added(parts: Runtime, bank: Running) -> None:
    """To store a token locks the Item against new rows of its own, so it comes after its tags' lock."""
    item_id = store_item(parts, bank)
    with background() as start:
        with parts.database.session() as session:
            ItemProduct.lock(session, item_id)
            storing = start(store_again, parts, item_id)
            wait_until(lambda: waiting_for_locks(parts) == 1)
            ItemProduct.add(session, item_id, "auth", ProductState.REQUESTED, None)
        storing.result()
    assert query(parts, "SELECT token_generation FROM items") == [(2,)]


def store_again(parts: Runtime, item_id: str) -> None:
    """Do what an exchange does that Plaid answered with a new access token for an Item we hold."""
    with parts.database.session() as session:
        user_id = User.get_or_create(session, "ada").id
        put_item(parts, session, user_id, TokenExchanged("access-sandbox-new", item_id))
        ItemProduct.add(session, item_id, "liabilities", ProductState.REQUESTED, None)
