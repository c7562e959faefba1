"""`GET /plaid/runs`: the history of runs, page by page, and how to cancel one over the API."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any

import pytest

from bankloom.models import ApiKey, User
from scenes import ask_plaid, exchange, executed, linked, newcomer, person, query
from workers import ask_for_run, store_item

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

UNKNOWN_RUN = "00000000-0000-0000-0000-000000000000"
MANY = """
    INSERT INTO sync_runs (item_id, status, trigger, requested_at, started_at, finished_at)
    SELECT :item_id, CASE n % 10 WHEN 0 THEN 'failed' ELSE 'up_to_date' END,
           CASE n % 2 WHEN 0 THEN 'schedule' ELSE 'webhook' END, at, at, at
    FROM generate_series(1, :count) n, LATERAL (SELECT now() - (n / 3) * interval '1 s' AS at) t
"""


def walk(api: Api, limit: int = 500, **filters: Any) -> list[dict[str, Any]]:
    """Walk every page."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = api.get("/plaid/runs", limit=limit, **filters, **cursor)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["runs"]) <= limit
        rows += answer.json()["runs"]
        if answer.json()["next_cursor"] is None:
            return rows
        cursor = {"cursor": answer.json()["next_cursor"]}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["run_id"] for row in rows]


def test_what_a_run_did_is_told(api: Api, bank: Running) -> None:
    """Counts, times and the error stand in the history as on the run's own page."""
    new = newcomer(api, bank, **person())
    token = exchange(api, new.public_token).json()["access_token"]
    api.sync_until_complete(new.item_id)
    bank.control.changes(new.item_id, added=[{"amount": 1}, {"amount": 2}])
    synced = api.sync(new.item_id)["run_id"]
    ask_plaid(bank, "/sandbox/item/reset_login", access_token=token)
    broken = api.sync(new.item_id)["run_id"]
    newest, before = walk(api)[:2]
    assert ids([newest, before]) == [broken, synced]
    assert (before["status"], before["trigger"], before["error"]) == ("synced", "person", None)
    assert [before[name] for name in ("transactions_synced", "added", "modified")] == [2, 2, 0]
    assert 0 < before["duration_seconds"] < 60
    assert newest["status"] == "needs_relink"
    assert newest["error"]["code"] == "ITEM_LOGIN_REQUIRED"
    assert newest["error"]["request_id"] == bank.control.calls()[-1]["request_id"]
    for row in (newest, before):
        assert api.get(f"/plaid/runs/{row['run_id']}").json() == row


def test_thousands_of_runs_are_walked_page_by_page(
    still: tuple[Api, Runtime], bank: Running
) -> None:
    """Every run once, the newest first, whoever asks for more runs meanwhile."""
    api, runtime = still
    items = [store_item(runtime, bank) for _ in range(3)]
    for item_id in items:
        query(runtime, MANY, item_id=item_id, count=1500)
    everything = query(runtime, "SELECT * FROM sync_runs ORDER BY requested_at DESC, id DESC")
    expected = [str(row.id) for row in everything]
    first = api.get("/plaid/runs", limit=500).json()
    ask_for_run(runtime, items[0])
    seen, cursor = ids(first["runs"]), first["next_cursor"]
    while cursor:
        page = api.get("/plaid/runs", limit=500, cursor=cursor).json()
        seen, cursor = seen + ids(page["runs"]), page["next_cursor"]
    assert seen == expected
    assert len(walk(api)) == len(expected) + 1
    assert ids(walk(api, user_id="ada")) == ids(walk(api))


def test_filters(still: tuple[Api, Runtime], bank: Running) -> None:
    """By Item, status (several), trigger and person; what is not there is an empty page."""
    api, runtime = still
    mine, other = store_item(runtime, bank), store_item(runtime, bank)
    for item_id in (mine, other):
        query(runtime, MANY, item_id=item_id, count=30)
    ask_for_run(runtime, mine)
    assert len(walk(api, item_id=mine)) == 31
    assert {row["item_id"] for row in walk(api, limit=7, item_id=mine)} == {mine}
    assert {row["status"] for row in walk(api, status="failed")} == {"failed"}
    assert len(walk(api, limit=4, status=["failed", "queued"])) == 3 + 3 + 1
    assert {row["trigger"] for row in walk(api, trigger="webhook", item_id=other)} == {"webhook"}
    assert len(walk(api, trigger="webhook", item_id=other, status="up_to_date")) == 15
    assert api.get("/plaid/runs", item_id="x").status_code == 404
    for nothing in ({"user_id": "bob"}, {"trigger": "x"}, {"status": "running"}):
        assert api.get("/plaid/runs", **nothing).json() == {"runs": [], "next_cursor": None}
    query(runtime, "UPDATE items SET removed_at = now() WHERE item_id = :i", i=other)
    assert {row["item_id"] for row in walk(api)} == {mine}


def test_a_forgotten_filter_shows_nobodys_runs(api: Api, runtime: Runtime, bank: Running) -> None:
    """Once there are two people a list has to name one, or everyone; a person's key is confined."""
    hers, his = linked(api, bank, "ada"), linked(api, bank, "bob")
    answer = api.get("/plaid/runs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "user_id_required")
    assert {row["item_id"] for row in walk(api, user_id="*")} == {hers, his}
    assert {row["item_id"] for row in walk(api, user_id="bob")} == {his}
    with runtime.database.session() as session:
        ada = User.find(session, "ada")
        assert ada is not None
        key = ApiKey.create(session, "ada's", ada.id).text
    headers = {"Authorization": f"Bearer {key}"}
    rows = api.client.get("/plaid/runs", headers=headers).json()["runs"]
    assert {row["item_id"] for row in rows} == {hers}
    other = walk(api, user_id="bob")[0]["run_id"]
    assert api.client.get(f"/plaid/runs/{other}", headers=headers).status_code == 404
    cancelled = api.client.post(f"/plaid/runs/{other}/cancel", headers=headers)
    assert (cancelled.status_code, cancelled.json()["error"]["code"]) == (404, "not_found")
    assert api.client.get("/plaid/runs?user_id=bob", headers=headers).status_code == 404


def cursor_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "MjAyNi0xMS0yMSBRRWhpUkFM",
        cursor_of(f"2026-11-21T00:00:00+00:00 {UNKNOWN_RUN} more"),
        cursor_of(f"yesterday {UNKNOWN_RUN}"),
        cursor_of("2026-11-21T00:00:00+00:00 7"),
        cursor_of("2026-11-21T00:00:00+00:00"),
    ],
)
def test_a_foreign_cursor_is_refused(api: Api, cursor: str) -> None:
    """A cursor that was not made here, a list's of transactions included, is a 422."""
    answer = api.get("/plaid/runs", cursor=cursor)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_the_ends_of_time_are_cursors(still: tuple[Api, Runtime], moment: str) -> None:
    """A made up cursor of an impossible time is an empty or a whole list, and no error of ours."""
    answer = still[0].get("/plaid/runs", cursor=cursor_of(f"{moment} {UNKNOWN_RUN}"))
    assert answer.status_code in {200, 422}


def test_bad_parameters_are_refused(api: Api) -> None:
    """Unknown statuses and parameters, sizes out of bounds, an id that is none: 422."""
    for wrong in ("status=fine", "limit=0", "limit=501", "limit=x", "state=x", "trigger="):
        answer = api.client.get(f"/plaid/runs?{wrong}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")
    assert api.post("/plaid/runs/x/cancel").status_code == 422
    answer = api.post(f"/plaid/runs/{UNKNOWN_RUN}/cancel")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("narrowed", ["everyone", "a person", "an Item"])
def test_a_page_is_an_index_range(still: tuple[Api, Runtime], bank: Running, narrowed: str) -> None:
    """The database does not read the whole history for one page of it."""
    api, runtime = still
    item_id, _ = (store_item(runtime, bank) for _ in range(2))
    query(runtime, MANY.replace(":item_id", "item_id") + ", items", count=10_000)
    query(runtime, "ANALYZE sync_runs")
    filters = {"everyone": {}, "a person": {"user_id": "ada"}, "an Item": {"item_id": item_id}}
    cursor = api.get("/plaid/runs", limit=500, **filters[narrowed]).json()["next_cursor"]
    with executed(runtime) as seen:
        api.get("/plaid/runs", limit=100, cursor=cursor, **filters[narrowed])
    (page,) = (each for each in seen if "FROM bankloom.sync_runs" in each[0])
    with runtime.database.session() as session:
        plan = session.connection().exec_driver_sql(f"EXPLAIN (ANALYZE) {page[0]}", page[1])
        lines = [row[0] for row in plan]
    scans = [line for line in lines if "Scan" in line and " on sync_runs" in line]
    assert scans
    assert not any("Seq Scan" in line for line in scans), "\n".join(lines)
    read = [float(match[1]) for line in scans if (match := re.search(r"actual .*rows=(\S+)", line))]
    assert max(read) < 150
