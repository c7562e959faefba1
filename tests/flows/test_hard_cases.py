"""What a critical reader found: each of these once went wrong."""

from __future__ import annotations

import base64
import threading
from typing import TYPE_CHECKING

import pytest

from bankloom.core.errors import ConfigurationError
from bankloom.opening import open_runtime
from harness import go_through_link, serving, wait_until
from scenes import (
    EXCHANGE_PATH,
    SYNC_PATH,
    background,
    bank_account,
    dictate_page,
    exchange,
    holding,
    linked,
    person,
    purchases,
    query,
    sandbox_public_token,
)

if TYPE_CHECKING:
    from bankloom.core.settings import Settings
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running


def test_forced_syncs_do_not_lock_out_the_run_at_work(api: Api, bank: Running) -> None:
    """However often a sync is forced during a long first sync, every call is answered and it ends."""
    item_id = api.link(bank)
    api.sync_until_complete(item_id)
    bank.control.bulk(item_id, 5_000)
    over = threading.Event()

    def hammer() -> set[int]:
        answers = set()
        while not over.is_set():
            answer = api.post("/plaid/sync", item_id=item_id, wait=False)
            answers.add(answer.status_code)
        return answers

    with background() as start:
        hammers = [start(hammer) for _ in range(3)]
        wait_until(lambda: len(api.transactions()) >= 5_000, 60)
        over.set()
        assert set.union(*(hammer.result() for hammer in hammers)) == {202}
    statuses = {status for (status,) in query_statuses(api, item_id)}
    assert statuses <= {"synced", "up_to_date", "queued", "running"}


def query_statuses(api: Api, item_id: str) -> list[tuple[str]]:
    """Return how the Item stands, as its tags say: nothing has failed."""
    [item] = [item for item in api.get("/plaid/items").json() if item["item_id"] == item_id]
    return [
        ("synced" if tag["error"] is None else tag["error"]["code"],) for tag in item["products"]
    ]


def test_two_exchanges_at_once_for_a_person_nobody_knew(api: Api, bank: Running) -> None:
    """Two products at the same moment, for a user_id that comes up for the first time."""
    public_token = sandbox_public_token(bank)
    with holding(bank, EXCHANGE_PATH) as hold, background() as start:
        calls = [
            start(exchange, api, public_token, product, user_id="newcomer")
            for product in ("transactions", "liabilities")
        ]
        hold.reached()
        hold.release()
        answers = [call.result() for call in calls]
    assert [answer.status_code for answer in answers] == [200, 200], [a.text for a in answers]
    assert len({answer.json()["item_id"] for answer in answers}) == 1


def test_a_refused_exchange_leaves_nobody_behind(api: Api, runtime: Runtime, bank: Running) -> None:
    """A mistyped user_id with a token that Plaid refuses does not become a user."""
    linked(api, bank)
    unknown = "public-sandbox-00000000-0000-0000-0000-000000000000"
    answer = exchange(api, unknown, "transactions", user_id="adda")
    assert answer.json()["error"]["code"] == "unknown_public_token"
    assert [row.name for row in query(runtime, "SELECT name FROM users")] == ["ada"]


def test_waiting_twins_leave_the_service_free(api: Api, bank: Running) -> None:
    """However many calls wait for one exchange, the others are answered."""
    new_token = go_through_link(bank, api.link_token("ada"), **person())
    with holding(bank, EXCHANGE_PATH) as hold, background() as start:
        waiting = [start(exchange, api, new_token, "transactions") for _ in range(30)]
        hold.reached()
        assert api.get("/healthz").status_code == 200
        assert api.accounts() == []
        hold.release()
        assert {call.result().status_code for call in waiting} == {200}


def test_slow_items_do_not_hold_up_the_tick(api: Api, runtime: Runtime, bank: Running) -> None:
    """With every slot taken by a slow Item, what falls due elsewhere is still found and queued."""
    items = [linked(api, bank, f"user-{number}") for number in range(5)]
    with holding(bank, SYNC_PATH, times=len(items)) as hold:
        for item_id in items[:4]:
            api.post("/plaid/sync", item_id=item_id, wait=False)
        hold.reached(4)
        due = "UPDATE item_products SET next_try_at = now() WHERE item_id = :item RETURNING 1"
        query(runtime, due, item=items[4])
        job = "SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :item"
        wait_until(lambda: query(runtime, job, item=items[4]), 40)
        hold.release()


def test_a_cursor_that_stands_still_ends_the_loop(api: Api, bank: Running) -> None:
    """A bank that promises more for ever is asked again later, not without end."""
    item_id = linked(api, bank)
    dictate_page(bank, {"next_cursor": "c3RpbGw=", "has_more": True}, times=0)
    answer = api.post("/plaid/sync", item_id=item_id)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "plaid_unreachable"
    bank.control.clear_faults()
    assert api.sync(item_id)["status"] == "up_to_date"


def test_a_rebuild_that_is_not_complete_goes_on_as_one(api: Api, bank: Running) -> None:
    """What Plaid no longer has is removed even if the rebuild's first answer was not complete."""
    item_id = linked(api, bank, **person(bank_account(transactions=purchases(10))))
    [gone, *_] = api.transactions()
    bank.control.changes(item_id, removed=[gone["transaction_id"]])
    bank.control.forget_cursors(item_id)
    bank.control.readiness(item_id, "INITIAL_UPDATE_COMPLETE")
    api.sync(item_id)
    bank.control.readiness(item_id, None)
    api.sync(item_id)
    truth = {row["transaction_id"] for row in bank.control.ledger(item_id)["transactions"]}
    assert {row["transaction_id"] for row in api.transactions()} == truth


def test_another_index_key_is_refused(settings: Settings, bank: Running) -> None:
    """It opens every token, but finds none, and would let two services spend one public token."""
    with serving(settings) as (api, _):
        linked(api, bank)
    keyring = settings.data_dir / "keyring"
    main, _, _index = keyring.read_text().partition("index:")
    keyring.write_text(f"{main}index:{base64.b64encode(bytes(32)).decode()}\n")
    with pytest.raises(ConfigurationError, match="'index' is another one"):
        open_runtime(settings)


def test_a_lost_keyring_is_not_replaced(settings: Settings, bank: Running) -> None:
    """Fresh keys over old tokens would lose every bank: the start refuses and changes nothing."""
    with serving(settings) as (api, _):
        api.link(bank, **person())
    keyring = settings.data_dir / "keyring"
    keyring.rename(keyring.with_suffix(".lost"))
    with pytest.raises(ConfigurationError, match="from a backup"):
        open_runtime(settings)
    assert not keyring.exists()


def test_a_limit_at_plaid_does_not_pass_for_an_unknown_session(api: Api, bank: Running) -> None:
    """Where Plaid can't say whether it is a duplicate, nothing is exchanged."""
    linked(api, bank)
    again = go_through_link(bank, api.link_token("ada"), **person())
    limit = {"status": 429, "error_type": "RATE_LIMIT_EXCEEDED", "error_code": "LINK_LIMIT"}
    bank.control.fault("/link/token/get", error={**limit, "error_message": "slow"}, times=0)
    bank.control.forget_calls()
    answer = exchange(api, again, "transactions", user_id="ada")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "plaid_busy")
    assert bank.control.calls(EXCHANGE_PATH) == []


@pytest.mark.parametrize("misspelt", ["usr_id=ada", "user_id=ada&user_id=*", "account=1"])
def test_a_misspelt_filter_is_refused(api: Api, misspelt: str) -> None:
    """A filter that the route does not know never shows more than was asked for."""
    for path in ("/plaid/transactions", "/plaid/accounts", "/plaid/items"):
        answer = api.client.get(f"{path}?{misspelt}")
        assert answer.status_code == 422
        assert answer.json()["error"]["code"] == "invalid_request"
