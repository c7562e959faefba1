"""Webhooks: how fast they are taken in, alone and beside backfills, and how soon their rows are there."""

from __future__ import annotations

import statistics
import time
from functools import partial
from operator import truediv
from typing import TYPE_CHECKING, NamedTuple

import httpx
import ours
import psycopg
from bare import running_bare
from children import in_child
from deliveries import flat_out, signed, steady
from figures import Figure
from folders import new_folder
from live import Bank, link, running_service
from progress import say

from bankloom.core.db import Database
from bankloom.services import sync_item

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deliveries import Taken
    from servers import Server

    from bankloom.services.runtime import Runtime
    from platypus_bank.webhooks.signing import SigningKey

ITEMS = 10
P99_PROMISED_MS = 100.0
ROWS_SECONDS_MAX = 60


class Plan(NamedTuple):
    """How much is measured."""

    rounds: int
    steady: int
    flat_out: int
    backfill_rows: int
    to_rows: int


def measure(bank: Bank, server: Server, plan: Plan) -> list[Figure]:
    """Return all figures of webhooks."""
    return [
        *_intake(bank, server, plan),
        _while_backfilling(bank, server, plan),
        *_to_rows(bank, server, plan),
    ]


def _intake(bank: Bank, server: Server, plan: Plan) -> list[Figure]:
    """Beside an endpoint that only verifies, in turns; no worker runs, so that intake alone counts."""
    with (
        server.fresh_database() as database_url,
        new_folder() as folder,
        running_service(bank, folder, "--no-worker", database_url=database_url) as service,
        running_bare(bank.key) as bare,
    ):
        with ours.opened(bank.url, database_url) as runtime:
            items = link(runtime, bank, ITEMS)
        urls = (service.url, bare.url)
        rounds = [[_intake_of(url, bank, items, plan) for url in urls] for _ in range(plan.rounds)]
    say(f"webhooks: {rounds[-1][0].rate:,.0f}/s; bare: {rounds[-1][1].rate:,.0f}/s")
    return [
        _beside("webhook_p50", "ms", rounds, lambda side: side.p50_ms),
        _beside("webhook_p99", "ms", rounds, lambda side: side.p99_ms),
        _beside("webhook_vs_bare", "deliveries/s", rounds, lambda side: side.rate),
    ]


class _Side(NamedTuple):
    p50_ms: float
    p99_ms: float
    rate: float


def _intake_of(url: str, bank: Bank, items: Sequence[str], plan: Plan) -> _Side:
    sent = in_child(steady, bank.key, url, items, plan.steady).value
    milliseconds = [each.milliseconds for each in sent]
    rate = in_child(flat_out, bank.key, url, items, plan.flat_out).value
    return _Side(statistics.median(milliseconds), _p99(milliseconds), rate)


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def _beside(
    name: str, unit: str, rounds: list[list[_Side]], of: Callable[[_Side], float]
) -> Figure:
    """Return the medians of both sides, and that of the rounds' ratios."""
    values, references = zip(*([of(side) for side in sides] for sides in rounds), strict=True)
    ratio = statistics.median(map(truediv, values, references))
    return Figure(name, statistics.median(values), unit, statistics.median(references), ratio)


def _while_backfilling(bank: Bank, server: Server, plan: Plan) -> Figure:
    """While ten Items pull their first history, in the same process and on the same cores."""
    with (
        server.fresh_database() as database_url,
        new_folder() as folder,
        ours.opened(bank.url, database_url) as runtime,
    ):
        items, backfilled = link(runtime, bank, ITEMS), link(runtime, bank, ITEMS)
        for item_id in backfilled:
            bank.control.bulk(item_id, plan.backfill_rows)
        with running_service(bank, folder, database_url=database_url) as service:
            load = (bank.key, service.url, items, plan.steady)
            sent = in_child(_beside_backfills, load, bank.url, database_url, backfilled).value
            over_at = ours.all_ended_at(runtime, backfilled)
    during = [each.milliseconds for each in sent if over_at is None or each.due_at < over_at]
    say(f"webhooks while backfilling: {len(during)} of {len(sent)} fell into the backfills")
    p99_ms = _p99(during)
    return Figure(
        "webhook_p99_while_backfilling", p99_ms, "ms", P99_PROMISED_MS, p99_ms / P99_PROMISED_MS
    )


def _beside_backfills(
    load: tuple[SigningKey, str, list[str], int],
    plaid_url: str,
    database_url: str,
    backfilled: list[str],
) -> list[Taken]:
    with ours.opened(plaid_url, database_url) as runtime:
        return steady(*load, begin=partial(ours.request_all, runtime, backfilled))


def _to_rows(bank: Bank, server: Server, plan: Plan) -> list[Figure]:
    """From sending a webhook to the committed row, beside the run itself, called directly."""
    with (
        server.fresh_database() as database_url,
        new_folder() as folder,
        ours.opened(bank.url, database_url) as runtime,
    ):
        items = link(runtime, bank, ITEMS)
        directly = [_direct_ms(bank, runtime, item) for item in items * (1 + plan.to_rows // ITEMS)]
        with running_service(bank, folder, database_url=database_url) as service:
            by_webhook = [
                _webhook_ms(bank, service.url, database_url, items[number % ITEMS], number)
                for number in range(plan.to_rows)
            ]
    directly = directly[ITEMS:]  # without the first of each Item, which describes it
    by_webhook = by_webhook[ITEMS // 2 :]
    say(f"webhook to rows: {statistics.median(by_webhook):.0f} ms, p99 {_p99(by_webhook):.0f} ms")
    return [
        _figure("webhook_to_rows_p50", statistics.median(by_webhook), statistics.median(directly)),
        _figure("webhook_to_rows_p99", _p99(by_webhook), _p99(directly)),
    ]


def _figure(name: str, value: float, reference: float) -> Figure:
    return Figure(name, value, "ms", reference, value / reference)


def _direct_ms(bank: Bank, runtime: Runtime, item_id: str) -> float:
    bank.control.changes(item_id, added=[{}])
    ours.make_due(runtime, item_id)
    started = time.perf_counter()
    sync_item.now(runtime, item_id, lambda: False)
    return 1000 * (time.perf_counter() - started)


def _webhook_ms(bank: Bank, url: str, database_url: str, item_id: str, number: int) -> float:
    new = f"by-webhook-{number}"
    bank.control.changes(item_id, added=[{"transaction_id": new}])
    body, jwt = signed(bank.key, item_id, number)
    with psycopg.connect(Database(database_url).conninfo, autocommit=True) as connection:
        started = time.perf_counter()
        answer = httpx.post(
            f"{url}/plaid/webhook", content=body, headers={"Plaid-Verification": jwt}
        )
        answer.raise_for_status()
        while not connection.execute(_IS_THERE, [new]).fetchone():
            if time.perf_counter() - started > ROWS_SECONDS_MAX:
                raise RuntimeError(f"no rows after {ROWS_SECONDS_MAX} s")
            time.sleep(_LOOK_SECONDS)
        return 1000 * (time.perf_counter() - started)


_IS_THERE = "SELECT 1 FROM transactions WHERE transaction_id = %s"
_LOOK_SECONDS = 0.002
