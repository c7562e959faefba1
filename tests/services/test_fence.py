"""The fence: a run that lost its Item changes nothing any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.core.errors import WorldMismatchError
from bankloom.services import fence, sync_item
from bankloom.services.fence import Run, SupersededError
from harness import wait_until
from scenes import SYNC_PATH, background, holding, never, query, waiting_for_locks
from workers import ask_for_run, jobs_of, runs, settle, store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running


@pytest.fixture
def item_id(parts: Runtime, bank: Running) -> str:
    """An Item that nothing is due for."""
    return store_item(parts, bank)


def begun(parts: Runtime, item_id: str) -> Run:
    ask_for_run(parts, item_id)
    run = fence.begin(parts, item_id, never)
    assert run is not None
    return run


def mark(run: Run) -> None:
    """Change the Item, as any step of a run does."""
    with run.hold() as session:
        session.get_one(type(run.item), run.item.item_id).institution_id = "ins_mark"


def marked(parts: Runtime) -> bool:
    return bool(query(parts, "SELECT 1 FROM items WHERE institution_id = 'ins_mark'"))


def due(parts: Runtime) -> object:
    return query(parts, "SELECT next_try_at FROM item_products")[0].next_try_at


def test_a_run_that_holds_the_item_commits(parts: Runtime, item_id: str) -> None:
    """The fence lets the run through that began last."""
    mark(begun(parts, item_id))
    assert marked(parts)


def test_a_superseded_run_commits_nothing(parts: Runtime, item_id: str) -> None:
    """Once another run has begun, the first one's commits are refused, and its row says who took over."""
    first = begun(parts, item_id)
    second = begun(parts, item_id)
    with pytest.raises(SupersededError):
        mark(first)
    assert not marked(parts)
    assert runs(parts, item_id) == ["superseded", "running"]
    mark(second)
    (row,) = query(parts, "SELECT superseded_by FROM sync_runs WHERE status = 'superseded'")
    assert row.superseded_by == second.id


@pytest.mark.parametrize(
    "change", ["token_generation = token_generation + 1", "removed_at = now()", "run_id = NULL"]
)
def test_a_run_whose_item_changed_commits_nothing(
    parts: Runtime, item_id: str, change: str
) -> None:
    """A rotated token, a removed Item, a broken fence: the run's work is discarded."""
    run = begun(parts, item_id)
    query(parts, f"UPDATE items SET {change}")  # noqa: S608 - one of the three above
    with pytest.raises(SupersededError):
        mark(run)
    assert not marked(parts)


def test_a_commit_waits_for_who_changes_the_item(parts: Runtime, item_id: str) -> None:
    """A token rotated in a commit that is still open is seen: the check locks the Item's row."""
    run = begun(parts, item_id)
    with background() as start:
        with parts.database.session() as session:
            item = type(run.item).lock(session, item_id)
            assert item is not None
            change = start(mark, run)
            wait_until(lambda: waiting_for_locks(parts))
            item.token_generation += 1
        with pytest.raises(SupersededError):
            change.result()
    assert not marked(parts)


def test_a_lease_is_renewed_with_each_page(parts: Runtime, item_id: str) -> None:
    """Renewing moves the tag's lease on, again and again."""
    run = begun(parts, item_id)
    (tag,) = run.tags
    seen = [due(parts)]
    for _ in range(2):
        with run.hold() as session:
            run.renew(session, tag)
        seen.append(due(parts))
    assert seen == sorted(set(seen), key=str)


def test_a_request_meanwhile_is_not_overwritten(parts: Runtime, item_id: str) -> None:
    """A tag that a trigger made due during the run stays due, whatever the run renews."""
    run = begun(parts, item_id)
    ask_for_run(parts, item_id)
    asked = due(parts)
    with run.hold() as session:
        run.renew(session, run.tags[0])
    assert due(parts) == asked


def test_nothing_due_is_nothing_to_do(parts: Runtime, item_id: str) -> None:
    """A job without a request and without a due tag begins no run; nor does an unknown Item's."""
    assert fence.begin(parts, item_id, never) is None
    assert fence.begin(parts, "no such item", never) is None
    assert runs(parts, item_id) == []


def test_a_leased_tag_is_not_claimed_twice(parts: Runtime, item_id: str) -> None:
    """A second job of the Item, without a request in between, finds nothing to do."""
    begun(parts, item_id)
    assert fence.begin(parts, item_id, never) is None


def test_an_item_of_another_world_is_not_begun(parts: Runtime, item_id: str) -> None:
    """Its token is not even opened, and the error names both worlds."""
    ask_for_run(parts, item_id)
    query(parts, "UPDATE items SET environment = 'production', access_token_sealed = 'v1.x.y'")
    with pytest.raises(WorldMismatchError, match=r"production at .* but the settings name sandbox"):
        fence.begin(parts, item_id, never)
    assert runs(parts, item_id) == ["queued"]


def test_requests_during_a_run_cause_one_more(
    api: Api, runtime: Runtime, bank: Running, item_id: str
) -> None:
    """Many triggers while a run is in the middle: exactly one more run, begun after all of them."""
    assert api is not None
    with holding(bank, SYNC_PATH) as hold:
        ask_for_run(runtime, item_id)
        hold.reached()
        for _ in range(5):
            ask_for_run(runtime, item_id)
    wait_until(lambda: "queued" not in runs(runtime, item_id))
    settle(runtime)
    assert len(runs(runtime, item_id)) == 2
    assert len(bank.control.calls(SYNC_PATH)) == 2


def test_a_stop_hands_the_run_over_at_once(parts: Runtime, bank: Running, item_id: str) -> None:
    """A worker that leaves between pages asks for another run, which is due now, not after a lease."""
    bank.control.bulk(item_id, 1200)
    ask_for_run(parts, item_id)
    sync_item.now(parts, item_id, lambda: len(bank.control.calls(SYNC_PATH)) > 1)
    assert runs(parts, item_id)[-1] == "queued"
    assert len(jobs_of(parts, "todo")) == 1
    sync_item.now(parts, item_id, never)
    assert runs(parts, item_id)[-1] == "synced"


def test_a_stop_under_a_rotated_token_hands_over_too(
    parts: Runtime, bank: Running, item_id: str
) -> None:
    """Where the token was rotated under a run that is to stop, nobody waits for the lease either."""
    bank.control.bulk(item_id, 600)
    ask_for_run(parts, item_id)

    def rotate() -> bool:
        query(parts, "UPDATE items SET token_generation = token_generation + 1")
        return True

    sync_item.now(parts, item_id, rotate)
    assert runs(parts, item_id)[-1] == "queued"
