"""`GET /metrics`: what happened and how things stand, in few series, and nothing of anybody."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from sqlalchemy import event

from bankloom.core.counting import Counts
from bankloom.models import ApiKey, User
from bankloom.services import counted, gauges, keep_counts, sync_item
from harness import Api, serving, settings_for, wait_until
from scenes import SYNC_PATH, bank_account, linked, never, person, purchases, query
from webhook_sender import deliver, plaid_keys, updates_available

if TYPE_CHECKING:
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from platypus_bank.testing import Running

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(api: Api) -> Samples:
    """Return the value of every series."""
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return the value of one series, 0 where it has none."""
    return samples.get((name, frozenset(labels.items())), 0)


def calls(samples: Samples, endpoint: str, outcome: str) -> float:
    return value(samples, "bankloom_plaid_calls_total", endpoint=endpoint, outcome=outcome)


def scrape_when_ended(api: Api, status: str) -> Samples:
    """Return the series once a run is counted, which is a moment after its last commit."""
    wait_until(lambda: value(scrape(api), "bankloom_sync_seconds_count", status=status) == 1)
    return scrape(api)


def test_a_first_sync_is_told(api: Api, bank: Running) -> None:
    """Link a bank with 7 transactions: its state, its run, its rows, the calls that it took."""
    linked(api, bank, **person(bank_account(transactions=purchases(7))))
    told = scrape_when_ended(api, "synced")
    assert value(told, "bankloom_transactions_total", change="added") == 7
    assert value(told, "bankloom_sync_seconds_count", status="synced") == 1
    assert 0 < value(told, "bankloom_sync_seconds_sum", status="synced") < 60
    assert value(told, "bankloom_sync_seconds_bucket", status="synced", le="1800.0") == 1
    assert calls(told, "/transactions/sync", "ok") == 1
    assert calls(told, "/link/token/create", "ok") == 1
    seconds = {"endpoint": "/transactions/sync", "le": "+Inf"}
    assert value(told, "bankloom_plaid_call_seconds_bucket", **seconds) == 1
    assert value(told, "bankloom_product_tags", product="transactions", state="ready") == 1
    assert sum(n for (name, _), n in told.items() if name == "bankloom_items") == 1
    assert value(told, "bankloom_due_tags") == 0
    assert value(told, "bankloom_lag_seconds") == 0
    assert value(told, "bankloom_database_connections", state="in use") >= 1


REFUSED = {"error_type": "ITEM_ERROR", "error_message": "no", "status": 400}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"drop": True}, "no answer"),
        ({"body": "<html>"}, "no answer"),
        ({"error": {**REFUSED, "error_code": "NO_ACCOUNTS"}}, "NO_ACCOUNTS"),
        ({"error": {**REFUSED, "error_code": "MADE_UP_TODAY"}}, "other error"),
        (
            {"error": {**REFUSED, "error_type": "API_ERROR", "error_code": "MADE_UP_TODAY"}},
            "API_ERROR",
        ),
    ],
)
def test_the_outcome_of_a_call_is_one_of_few(
    api: Api, bank: Running, fault: dict[str, Any], outcome: str
) -> None:
    """What Plaid may make up is told under the next known word, and a failed run as one."""
    item_id = linked(api, bank)
    bank.control.fault(SYNC_PATH, **fault)
    status = api.sync(item_id)["status"]
    assert calls(scrape_when_ended(api, status), SYNC_PATH, outcome) == 1


def test_a_call_that_takes_too_long_is_a_timeout(
    bank: Running, database_url: str, tmp_path: Path
) -> None:
    """It is told apart from a connection that broke, with the seconds that it took."""
    settings = settings_for(bank.url, database_url, tmp_path / "data")
    settings.plaid.read_timeout_seconds = 0.3
    with serving(settings, with_worker=False) as (api, _):
        bank.control.fault("/link/token/create", hold=True)
        assert api.post("/plaid/link-token", user_id="ada").status_code == 502
        told = scrape(api)
    assert calls(told, "/link/token/create", "timeout") == 1
    seconds = value(told, "bankloom_plaid_call_seconds_sum", endpoint="/link/token/create")
    assert 0.3 <= seconds < 30


def test_two_processes_are_told_as_one(api: Api, runtime: Runtime) -> None:
    """Whichever web process is asked, it tells of what the others have counted too."""
    other = dataclasses.replace(runtime, counts=Counts())
    counted.plaid_called(other.counts, "/item/get", "ok", 1)
    keep_counts.now(other)
    counted.plaid_called(runtime.counts, "/item/get", "ok", 1)
    assert calls(scrape(api), "/item/get", "ok") == 2


def test_the_budget_is_told(bank: Running, database_url: str, tmp_path: Path) -> None:
    """Of each limit of the client all is left, and nothing where the next call has to wait."""
    settings = settings_for(bank.url, database_url, tmp_path / "data", rate_limits=None)
    with serving(settings, with_worker=False) as (api, runtime):
        used_up = "INSERT INTO plaid_budgets VALUES ('/item/get', now() + interval '1 hour')"
        query(runtime, used_up)
        told = scrape(api)
    for endpoint, left, limit in (("/transactions/sync", 1000, 1000), ("/item/get", 0, 5000)):
        assert value(told, "bankloom_plaid_budget_left", endpoint=endpoint) == left
        assert value(told, "bankloom_plaid_budget_limit", endpoint=endpoint) == limit


def test_lag_is_told(bank: Running, database_url: str, tmp_path: Path) -> None:
    """A tag that is due and that nobody works on: one due, for as long as it has been."""
    settings = settings_for(bank.url, database_url, tmp_path / "data")
    with serving(settings, with_worker=False) as (api, runtime):
        api.link(bank, **person())
        query(runtime, "UPDATE item_products SET next_try_at = now() - interval '1 hour'")
        told = scrape(api)
    assert value(told, "bankloom_due_tags") == 1
    assert 3600 <= value(told, "bankloom_lag_seconds") < 3660
    assert value(told, "bankloom_jobs", queue="items", state="todo") == 1
    assert value(told, "bankloom_runs", status="queued") == 1


def test_webhooks_are_told(bank: Running, database_url: str, tmp_path: Path) -> None:
    """One accepted, repeated, and one too old; and how long the first one's rows took to be there."""
    with plaid_keys(bank.url) as plaid:
        settings = settings_for(plaid.url, database_url, tmp_path / "data")
        with serving(settings) as (api, _):
            item_id = linked(api, bank)
            bank.control.changes(item_id, added=[{"transaction_id": "t"}])
            key, body = plaid.new_key(), updates_available(item_id)
            jwt = key.jwt(body)
            for signature in (jwt, jwt, key.jwt(body, age=310)):
                deliver(api.url, body, signature)
            count = "bankloom_webhook_to_rows_seconds_count"
            wait_until(lambda: value(scrape(api), count) == 1)
            name = "bankloom_webhook_deliveries_total"
            wait_until(lambda: value(scrape(api), name, verdict="stale") == 1)
            told = scrape(api)
    assert value(told, name, verdict="accepted") == 1
    assert value(told, name, verdict="repeated") == 1
    assert 0 < value(told, "bankloom_webhook_to_rows_seconds_sum") < 60
    assert value(told, "bankloom_transactions_total", change="added") == 1


def test_both_formats_can_be_read(api: Api, bank: Running) -> None:
    """Prometheus's own text format, and OpenMetrics where the Accept header asks for it."""
    linked(api, bank)
    plain = api.get("/metrics")
    assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    opened = api.client.get("/metrics", headers={"Accept": OPEN_METRICS})
    assert opened.headers["Content-Type"].startswith(OPEN_METRICS)
    names = {family.name.removesuffix("_total") for family in text_families(plain.text)}
    in_open_metrics = open_families(opened.text)  # type: ignore[no-untyped-call]  # the library's
    assert names == {family.name for family in in_open_metrics}
    owed = {each.name.removesuffix("_total") for each in (*counted.COUNTED, *gauges.GAUGES)}
    assert owed <= {name.removesuffix("_info") for name in names} | {"bankloom_build_info"}


def test_nobody_can_be_recognised(api: Api, bank: Running) -> None:
    """No user, no Item, no token, no bank, whatever happened: label values are words of ours."""
    item_id = linked(api, bank, "ada-lovelace", **person(bank_account(name="Nest egg")))
    bank.control.fault(SYNC_PATH, error={**REFUSED, "error_code": item_id})
    failed = api.sync(item_id)
    text = api.get("/metrics").text
    for private in (item_id, failed["run_id"], "ada-lovelace", "Nest egg", "ins_", "sandbox-"):
        assert private not in text


def statements_of_a_scrape(api: Api, runtime: Runtime) -> list[str]:
    """Return what one scrape asks of the database, where nothing was counted since the last."""
    scrape(api)
    statements: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(runtime.database.engine, "before_cursor_execute", note)
    scrape(api)
    event.remove(runtime.database.engine, "before_cursor_execute", note)
    return statements


def test_a_scrape_costs_the_same_however_much_is_stored(
    bank: Running, database_url: str, tmp_path: Path
) -> None:
    """Items and rows more: not one statement more, and none that reads transactions."""
    settings = settings_for(bank.url, database_url, tmp_path / "data")
    with serving(settings, with_worker=False) as (api, runtime):
        before = statements_of_a_scrape(api, runtime)
        for number in (3, 4):
            item_id = api.link(
                bank, str(number), **person(bank_account(transactions=purchases(number)))
            )
            sync_item.now(runtime, item_id, never)
        after = statements_of_a_scrape(api, runtime)
    assert after == before
    assert len(after) < 20
    assert not [each for each in after if re.search(r"\b(FROM|JOIN) (\w+\.)?transactions", each)]


def test_metrics_need_the_service_key(api: Api, runtime: Runtime) -> None:
    """Without a key nothing is told, and to a key of one user neither: it is about everyone."""
    with runtime.database.session() as session:
        user_id = User.get_or_create(session, "ada").id
        key = ApiKey.create(session, "ada's", user_id).text
    assert api.client.get("/metrics", headers={"Authorization": ""}).status_code == 401
    bound = api.client.get("/metrics", headers={"Authorization": f"Bearer {key}"})
    assert bound.status_code == 404
    assert "bankloom_" not in bound.text
