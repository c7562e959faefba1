"""The budget: never more calls than Plaid takes, over all processes, and never fewer than need be."""

from __future__ import annotations

import itertools
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from bankloom.core import clock
from bankloom.core.errors import ConfigurationError, PlaidBusyError, PlaidLimitedError
from bankloom.models import PlaidBudget
from bankloom.models.plaid_budget import Cost
from bankloom.opening import open_runtime
from bankloom.services import plaid_budget, rate_limits
from bankloom.services.plaid_budget import _cost
from bankloom.services.rate_limits import EndpointLimits, Limit
from hammer import (
    ask_for_items,
    autocommitting,
    in_processes,
    most_in_a_window,
    spend,
    surely_in_a_window,
)
from harness import environment_for, settings_for, wait_until
from scenes import background, query, sandbox_public_token, waiting_for_locks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from bankloom.services.runtime import Runtime
    from gateway import Gateway
    from platypus_bank.testing import Running

ITEM_GET = "/item/get"
SYNC = "/transactions/sync"


# The statement


def costs_over(window_seconds: float, **calls: int) -> list[Cost]:
    """Return what a call costs where a limit is counted over another window than a minute."""
    scale = window_seconds / rate_limits.WINDOW_SECONDS
    costs = [_cost(key, Limit(limit)) for key, limit in calls.items()]
    return [Cost(each.key, each.step_seconds * scale, each.slack_seconds * scale) for each in costs]


def test_no_window_holds_more_than_the_limit(database_url: str) -> None:
    """Eight connections of four processes spend as fast as they can: no window has more, few have less.

    They name the same limits in different orders.
    """
    calls = [
        costs_over(1, client=40, ada=15),
        list(reversed(costs_over(1, bob=15, client=40, first=30))),
    ]
    grants = [each for got in in_processes(4, spend, database_url, calls, 3.0) for each in got]
    seconds = max(grant.told_at for grant in grants) - min(grant.asked_at for grant in grants)
    for key, limit in {"client": 40, "ada": 15, "bob": 15, "first": 30}.items():
        of_key = [grant for grant in grants if key in grant.keys]
        assert surely_in_a_window(of_key, 1.0) <= limit
        if limit == 15:  # what binds here: all of its burst, and four fifths of the limit a second
            assert len(of_key) > 0.9 * (3 + seconds * 13)


def test_a_limit_of_one_lets_one_through(parts: Runtime) -> None:
    """Where a limit was never spent from, eight who come at the same moment are one and seven."""
    together = threading.Barrier(8)

    def come(costs: list[Cost]) -> bool:
        with autocommitting(parts.database) as connection:
            together.wait()
            return PlaidBudget.spend(connection, costs) == 0

    with background() as start:
        for number in range(20):
            costs = costs_over(60, **{"client": 1000, f"item {number}": 1})
            came = [start(come, costs) for _ in range(8)]
            assert sum(each.result() for each in came) == 1


def test_both_limits_or_neither(parts: Runtime) -> None:
    """A call that one limit does not let out takes nothing from the other."""
    costs = costs_over(60, client=1000, item=2)
    with autocommitting(parts.database) as connection:
        assert PlaidBudget.spend(connection, costs) == 0
        before = query(parts, "SELECT * FROM plaid_budgets ORDER BY key")
        wait_seconds = PlaidBudget.spend(connection, costs)
        assert query(parts, "SELECT * FROM plaid_budgets ORDER BY key") == before
        assert 0 < 30 - wait_seconds < 5


def test_limits_are_locked_in_one_order(parts: Runtime) -> None:
    """Whatever order they are named and stored in, so that no two calls wait for each other."""
    query(parts, "INSERT INTO plaid_budgets VALUES ('b', now()), ('a', now())")

    def come() -> float:
        with autocommitting(parts.database) as connection:
            return PlaidBudget.spend(connection, costs_over(60, b=1, a=1))

    with background() as start:
        with parts.database.session() as session:
            session.execute(text("SELECT FROM plaid_budgets WHERE key = 'a' FOR UPDATE"))
            coming = start(come)
            wait_until(lambda: waiting_for_locks(parts))
            query(parts, "SELECT FROM plaid_budgets WHERE key = 'b' FOR UPDATE NOWAIT")
        assert coming.result() == 0


def test_a_machine_whose_clock_is_wrong_sweeps_nothing_alive(parts: Runtime) -> None:
    """What is used up stays so, whatever day a process believes it is; what was regained goes."""
    costs = costs_over(60, item=1)
    with autocommitting(parts.database) as connection:
        PlaidBudget.spend(connection, costs)
        query(parts, "INSERT INTO plaid_budgets VALUES ('old', now() - interval '2 hours')")
        with parts.database.session() as session:
            PlaidBudget.sweep(session, clock.now() + timedelta(days=1))
        assert query(parts, "SELECT key FROM plaid_budgets") == [("item",)]
        assert PlaidBudget.spend(connection, costs) > 50


@pytest.mark.parametrize("calls", [1, 2, 5, 10, 15, 50, 400, 2500, 20_000])
def test_burst_and_refill_stay_within_the_limit(calls: int) -> None:
    """One call more than the limit takes longer than Plaid's minute; most of it can be used for ever."""
    limit = Limit(calls)
    assert (calls + 1 - limit.burst) * limit.step_seconds > 60
    assert limit.burst >= 1
    assert 60 / limit.step_seconds > 0.75 * calls


# The gate


@pytest.fixture
def limited(bank: Running, database_url: str, tmp_path: Path) -> Iterator[Callable[[str], Runtime]]:
    """Open parts over the bank whose Sandbox limits are these lines; the others stay as published."""
    opened = []

    def open_limited(lines: str, url: str = bank.url) -> Runtime:
        path = tmp_path / "limits.toml"
        path.write_text(f"[sandbox]\n{lines}\n")
        settings = settings_for(url, database_url, tmp_path / "data", rate_limits=str(path))
        opened.append(open_runtime(settings))
        return opened[-1]

    yield open_limited
    for runtime in opened:
        runtime.close()


def token_of(runtime: Runtime, bank: Running) -> str:
    """Return the access token of a new Item."""
    return runtime.plaid.public_token_exchange(sandbox_public_token(bank)).access_token


def test_a_used_up_budget_says_when(limited: Callable[..., Runtime], bank: Running) -> None:
    """The call is not sent; the error names the time, which another Item does not have to wait for."""
    runtime = limited('"/item/get" = { item = 2 }')
    ada, bob = token_of(runtime, bank), token_of(runtime, bank)
    runtime.plaid.item_get(ada)
    with pytest.raises(PlaidBusyError) as caught:
        runtime.plaid.item_get(ada)
    assert caught.value.free_at is not None
    wait = caught.value.free_at - clock.now()
    assert timedelta(seconds=25) < wait < timedelta(seconds=31)
    assert f"{caught.value.free_at:%H:%M:%S}" in caught.value.message
    runtime.plaid.item_get(bob)
    assert len(bank.control.calls(ITEM_GET)) == 2
    rows = query(runtime, "SELECT * FROM plaid_budgets")
    assert ada not in f"{rows} {caught.value.body()}"


def test_all_share_the_limit_of_the_client(limited: Callable[..., Runtime], bank: Running) -> None:
    """What one process spends for one Item is missing to another process for another Item."""
    lines = '"/item/get" = { item = 100, client = 2 }'
    one, other = limited(lines), limited(lines)
    one.plaid.item_get(token_of(one, bank))
    with pytest.raises(PlaidBusyError):
        other.plaid.item_get(token_of(other, bank))


def test_a_short_wait_is_waited_out(
    limited: Callable[..., Runtime], bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is free within two seconds is sent then, and its caller notices nothing."""
    monkeypatch.setattr(rate_limits, "WINDOW_SECONDS", 2)
    runtime = limited('"/item/get" = { item = 5 }')
    token = token_of(runtime, bank)
    for _ in range(4):
        runtime.plaid.item_get(token)
    times = [datetime.fromisoformat(call["time"]) for call in bank.control.calls(ITEM_GET)]
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert all(timedelta(seconds=0.3) < gap for gap in gaps), gaps


def test_a_call_costs_one_statement(limited: Callable[..., Runtime], bank: Running) -> None:
    """All limits of a call are spent from at once, and where there is none nothing is asked."""
    runtime = limited("")
    token = token_of(runtime, bank)
    runtime.plaid.transactions_sync(token, "")
    statements = []
    event.listen(
        runtime.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2])
    )
    runtime.plaid.transactions_sync(token, "")
    assert len(statements) == 1
    token_of(runtime, bank)
    assert len(statements) == 1


def test_the_empty_cursor_has_a_limit_of_its_own(
    limited: Callable[..., Runtime], bank: Running
) -> None:
    """First histories take from a limit of the client's that other pages don't."""
    runtime = limited('"/transactions/sync" = { empty_cursor = 1 }')
    ada, bob = token_of(runtime, bank), token_of(runtime, bank)
    cursor = runtime.plaid.transactions_sync(ada, "").next_cursor
    with pytest.raises(PlaidBusyError):
        runtime.plaid.transactions_sync(bob, "")
    runtime.plaid.transactions_sync(ada, cursor)


class LeavingError(Exception):
    """The worker leaves."""


def test_a_wait_ends_when_the_worker_leaves(limited: Callable[..., Runtime], bank: Running) -> None:
    """A page that waits for its turn looks every quarter of a second whether it still should."""
    runtime = limited('"/transactions/sync" = { item = 1 }')
    token = token_of(runtime, bank)
    cursor = runtime.plaid.transactions_sync(token, "").next_cursor
    begun, leaving = threading.Event(), threading.Event()

    def leave_if_told() -> None:
        begun.set()
        if leaving.is_set():
            raise LeavingError

    with background() as start:
        page = start(runtime.plaid.transactions_sync, token, cursor, leave_if_told)
        assert begun.wait(10)
        assert not page.done()
        leaving.set()
        told = time.monotonic()
        with pytest.raises(LeavingError):
            page.result()
    assert time.monotonic() - told < 2
    assert len(bank.control.calls(SYNC)) == 1


def test_an_exchange_can_always_be_undone(limited: Callable[..., Runtime], bank: Running) -> None:
    """`/item/remove` asks no budget, which may be used up, nor the database, which may be gone."""
    runtime = limited('"/item/remove" = { client = 1 }')
    tokens = [token_of(runtime, bank) for _ in range(3)]
    query(runtime, "DROP TABLE plaid_budgets")
    for token in tokens:
        runtime.plaid.item_remove(token)
    assert [call["status"] for call in bank.control.calls("/item/remove")] == [200, 200, 200]


def test_four_processes_stay_within_the_limits(
    bank: Running, settings: Any, tmp_path: Path
) -> None:
    """What arrives at Plaid from four processes: no window holds more than Plaid takes."""
    path = tmp_path / "limits.toml"
    path.write_text('[sandbox]\n"/item/get" = { item = 20, client = 50 }')
    settings = settings.model_copy(update={"rate_limits": str(path)})
    with closing(open_runtime(settings)) as runtime:
        tokens = [token_of(runtime, bank) for _ in range(3)]
    window_seconds, on_the_way_seconds = 3.0, 1.0  # as the minute and its 2 s
    busy = in_processes(
        4,
        ask_for_items,
        environment_for(settings),
        tokens,
        6.0,
        window_seconds + on_the_way_seconds,
    )
    assert sum(busy) > 0
    calls = bank.control.calls(ITEM_GET)
    for item_id in {call["item_id"] for call in calls}:
        assert most_in_a_window(times_of(calls, item_id), window_seconds) <= 20
    assert most_in_a_window(times_of(calls), window_seconds) <= 50
    assert len(calls) > 0.75 * (10 + 6.0 * 41 / (window_seconds + on_the_way_seconds))


def times_of(calls: list[dict[str, Any]], item_id: str | None = None) -> list[float]:
    """Return when calls arrived, in seconds."""
    return [
        datetime.fromisoformat(call["time"]).timestamp()
        for call in calls
        if item_id in (None, call["item_id"])
    ]


# Plaid's own refusals

ITEM_LIMIT = (
    b'{"error_type": "RATE_LIMIT_EXCEEDED", "error_code": "ITEM_GET_LIMIT", "request_id": "r", '
    b'"error_message": "rate limit exceeded for attempts to access this item. please try again later"}'
)
CLIENT_LIMIT = ITEM_LIMIT.replace(b"this item.", b'\\"item/get\\",')


def assert_is_after(at: datetime | None, seconds: float, began: datetime) -> None:
    """An instant is so long after a call that began at another one and is over by now."""
    assert at is not None
    whole_second = timedelta(seconds=1)  # in which a header writes a date
    earliest, latest = (each + timedelta(seconds=seconds) for each in (began, clock.now()))
    assert earliest - whole_second <= at <= latest + whole_second


def in_two_minutes() -> str:
    return (datetime.now(UTC) + timedelta(seconds=120)).strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize(
    ("retry_after", "expected"),
    [
        ("120", 120),
        (in_two_minutes, 120),
        ("0", 0),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("99999999999999", 3600),
        (None, None),
        ("soon", None),
        ("-5", None),
    ],
)
def test_retry_after_is_read(
    limited: Callable[..., Runtime],
    gateway: Gateway,
    retry_after: str | Callable[[], str] | None,
    expected: float | None,
) -> None:
    """Plaid's 429 carries when to come again, in seconds or as a date, where it is told, and sane."""
    gateway.answers(429, ITEM_LIMIT)
    began = clock.now()
    if retry_after is not None:
        value = retry_after() if callable(retry_after) else retry_after
        gateway.headers["Retry-After"] = value
    with pytest.raises(PlaidLimitedError) as caught:
        limited("", gateway.url).plaid.item_get("access-sandbox-ada")
    error = caught.value
    assert (error.error_code, error.request_id, error.http_status) == ("ITEM_GET_LIMIT", "r", 429)
    if expected is None:
        assert error.free_at is None
    else:
        assert_is_after(error.free_at, expected, began)


def test_a_refusal_about_an_item_stops_all_processes(
    limited: Callable[..., Runtime], gateway: Gateway
) -> None:
    """After Plaid's 429 nobody asks for that Item until its time; others go on."""
    one, other = limited("", gateway.url), limited("", gateway.url)
    gateway.answers(429, ITEM_LIMIT)
    gateway.headers["Retry-After"] = "120"
    began = clock.now()
    with pytest.raises(PlaidLimitedError):
        one.plaid.item_get("access-sandbox-ada")
    gateway.answers(200, b'{"item": {"item_id": "i"}}')
    with pytest.raises(PlaidBusyError) as caught:
        other.plaid.item_get("access-sandbox-ada")
    assert_is_after(caught.value.free_at, 120, began)
    other.plaid.item_get("access-sandbox-bob")
    assert len(gateway.asked) == 2


def test_a_refusal_about_all_stops_all(limited: Callable[..., Runtime], gateway: Gateway) -> None:
    """Where Plaid does not speak of the Item, nobody asks that endpoint for a minute."""
    runtime = limited("", gateway.url)
    gateway.answers(429, CLIENT_LIMIT)
    began = clock.now()
    with pytest.raises(PlaidLimitedError):
        runtime.plaid.item_get("access-sandbox-ada")
    with pytest.raises(PlaidBusyError) as caught:
        runtime.plaid.item_get("access-sandbox-bob")
    assert_is_after(caught.value.free_at, 60, began)
    with runtime.database.session() as session:
        left = {each.endpoint: (each.left, each.limit) for each in runtime.budget.left(session)}
    assert left[ITEM_GET] == (0, 5000)
    assert left["/accounts/get"] == (5000, 5000)


@pytest.mark.parametrize("code", ["TRIAL_CONNECTION_LIMIT", "CREDITS_EXHAUSTED"])
def test_a_limit_that_lasts_is_no_reason_to_wait(
    limited: Callable[..., Runtime], gateway: Gateway, code: str
) -> None:
    """What an operator must lift is a refusal like any other: nothing is held back."""
    runtime = limited("", gateway.url)
    gateway.answers(429, ITEM_LIMIT.replace(b"ITEM_GET_LIMIT", code.encode()))
    for _ in range(2):
        with pytest.raises(Exception, match="Plaid refused") as caught:
            runtime.plaid.item_get("access-sandbox-ada")
        assert not isinstance(caught.value, PlaidBusyError)
    assert len(gateway.asked) == 2


def test_a_page_that_plaid_puts_off_is_asked_for_again(
    limited: Callable[..., Runtime], bank: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Plaid's limit is lower than we know, the pages pulled so far are still not lost."""
    monkeypatch.setattr(rate_limits, "WINDOW_SECONDS", 2)
    monkeypatch.setattr(plaid_budget, "LIMITED_SECONDS", 0.5)
    runtime = limited("")
    token = token_of(runtime, bank)
    cursor = runtime.plaid.transactions_sync(token, "").next_cursor
    limit = {"error_type": "RATE_LIMIT_EXCEEDED", "error_code": "TRANSACTIONS_SYNC_LIMIT"}
    bank.control.fault(SYNC, error={**limit, "status": 429}, times=2)
    runtime.plaid.transactions_sync(token, cursor, lambda: None)
    assert [call["status"] for call in bank.control.calls(SYNC)] == [200, 429, 429, 200]
    bank.control.fault(SYNC, error={**limit, "status": 429}, times=0)
    with pytest.raises(PlaidLimitedError):
        runtime.plaid.transactions_sync(token, cursor, lambda: None)
    assert len(bank.control.calls(SYNC)) == 7


# The table


def test_the_published_table() -> None:
    """Figures of Plaid's page, by environment."""
    sandbox, production = (rate_limits.read(None, name) for name in ("sandbox", "production"))
    assert sandbox[SYNC] == EndpointLimits(item=50, client=1000, empty_cursor=250)
    assert production[SYNC] == EndpointLimits(item=50, client=2500, empty_cursor=500)
    assert (production["/accounts/get"].item, sandbox["/accounts/get"].item) == (15, 100)
    assert "/sandbox/transactions/create" not in production


def test_a_file_takes_the_place_of_entries(tmp_path: Path) -> None:
    """It replaces the entries that it has, whole; the others stay; `off` leaves none."""
    path = tmp_path / "limits.toml"
    path.write_text(
        '[production]\n"/item/get" = { client = 7 }\n"/link/token/create" = {client = 9}'
    )
    limits = rate_limits.read(str(path), "production")
    assert limits[ITEM_GET] == EndpointLimits(client=7)
    assert limits["/link/token/create"].client == 9
    assert limits[SYNC].item == 50
    assert rate_limits.read(str(path), "sandbox") == rate_limits.read(None, "sandbox")
    assert rate_limits.read("off", "production") == {}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "No such file"),
        ("[sandbox", "limits.toml"),
        ("[development]", "development"),
        ('[sandbox]\n"/item/get" = 3', "Expected `object`"),
        ('[sandbox]\n"/item/get" = { item = 0 }', ">= 1"),
        ('[sandbox]\n"/item/get" = { item = 2.5 }', "Expected `int"),
        ('[sandbox]\n"/item/get" = { items = 3 }', "items"),
        ('[production]\n"/item/gte" = { item = 3 }', "limits /item/gte"),
    ],
)
def test_a_bad_file_is_named_at_start(
    bank: Running, database_url: str, tmp_path: Path, content: str | None, complaint: str
) -> None:
    """Nothing starts with limits that can't be read, or that would limit nothing."""
    path = tmp_path / "limits.toml"
    if content is not None:
        path.write_text(content)
    settings = settings_for(bank.url, database_url, tmp_path / "data", rate_limits=str(path))
    with pytest.raises(ConfigurationError) as caught:
        open_runtime(settings)
    assert complaint in caught.value.message
    assert "BANKLOOM_RATE_LIMITS" in caught.value.message
    assert str(path) in caught.value.message


def test_off_is_off(parts: Runtime, bank: Running) -> None:
    """Without limits nothing is spent and nothing waits."""
    token = token_of(parts, bank)
    for _ in range(60):
        parts.plaid.item_get(token)
    assert query(parts, "SELECT * FROM plaid_budgets") == []


def test_a_clock_that_was_set_back_stops_nothing(parts: Runtime) -> None:
    """What is further ahead than any limit can be is from another time, and counts as regained."""
    costs = [Cost("a key", step_seconds=60.0, slack_seconds=0.0)]
    with parts.database.engine.connect() as opened:
        connection = opened.execution_options(isolation_level="AUTOCOMMIT")
        assert PlaidBudget.spend(connection, costs) == 0
        assert PlaidBudget.spend(connection, costs) > 0
        query(parts, "UPDATE plaid_budgets SET free_at = now() + interval '2 hours'")
        assert PlaidBudget.spend(connection, costs) == 0
        assert PlaidBudget.spend(connection, costs) > 0
