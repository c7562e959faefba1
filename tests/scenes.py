"""Scenes that flows begin with: a person of few accounts, a bank whose next answers are dictated."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
from sqlalchemy import event, text

from harness import go_through_link, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from sqlalchemy import Engine, Row

    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

SYNC_PATH = "/transactions/sync"
EXCHANGE_PATH = "/item/public_token/exchange"


def days_ago(days: int) -> str:
    """Return a date as Plaid writes it."""
    return (date.today() - timedelta(days=days)).isoformat()  # noqa: DTZ011 - as the bank counts


def person(*accounts: dict[str, Any]) -> dict[str, Any]:
    """Return the login of someone who owns just these accounts (one checking account by default)."""
    owned = accounts or (bank_account(),)
    return {
        "username": "user_custom",
        "password": json.dumps({"override_accounts": owned}),
    }


def bank_account(name: str = "Checking", mask: str = "0001", **more: Any) -> dict[str, Any]:
    """Return an account of a custom user, without transactions unless some are given."""
    meta = {"name": name, "mask": mask, **more.pop("meta", {})}
    return {"type": "depository", "subtype": "checking", "meta": meta, **more}


def purchases(count: int) -> list[dict[str, Any]]:
    """Return one purchase a day of a custom user, the newest yesterday."""
    return [
        {
            "date_transacted": days_ago(day),
            "date_posted": days_ago(day),
            "amount": day,
            "description": f"Purchase {day}",
        }
        for day in range(1, count + 1)
    ]


class Newcomer(NamedTuple):
    """Someone who went through Link, whose public token was not exchanged yet."""

    link_token: str
    public_token: str
    item_id: str


def newcomer(
    api: Api,
    bank: Running,
    user: str = "ada",
    products: list[str] | None = None,
    **choices: Any,
) -> Newcomer:
    """Go through Link and stop before the exchange."""
    link_token = api.link_token(user, products)
    public_token = go_through_link(bank, link_token, **choices)
    known = {each["item_id"]: each["created_at"] for each in bank.control.items()}
    return Newcomer(link_token, public_token, list(known)[-1])


def exchange(
    api: Api, public_token: str, product: str = "transactions", **more: Any
) -> httpx.Response:
    """Call the exchange route."""
    return api.post("/plaid/exchange", public_token=public_token, product=product, **more)


def linked(api: Api, bank: Running, user: str = "ada", **choices: Any) -> str:
    """Link a bank account without history and wait until its first sync is over; return the Item."""
    item_id = api.link(bank, user, **(choices or person()))
    wait_until(lambda: states(api)[item_id] == {"transactions": "ready"})
    return item_id


def states(api: Api) -> dict[str, dict[str, str]]:
    """Return the states of every Item's products, as the API lists them."""
    items = api.get("/plaid/items", user_id="*").json()
    return {
        item["item_id"]: {tag["product"]: tag["state"] for tag in item["products"]}
        for item in items
    }


def sandbox_public_token(
    bank: Running, initial_products: tuple[str, ...] = ("transactions",), **options: Any
) -> str:
    """Make a public token as Plaid's Sandbox does, without any Link session."""
    body = {
        "institution_id": "ins_109508",
        "initial_products": initial_products,
        "options": options,
    }
    token: str = ask_plaid(bank, "/sandbox/public_token/create", **body)["public_token"]
    return token


def ask_plaid(bank: Running, path: str, **body: Any) -> dict[str, Any]:
    """Call Plaid's own API, as the app beside us could."""
    keys = {"PLAID-CLIENT-ID": "test-client", "PLAID-SECRET": "test-secret"}
    answer = httpx.post(bank.url + path, json=body, headers=keys)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def stored(api: Api, **filters: Any) -> dict[str, dict[str, Any]]:
    """Return every listed transaction by its id."""
    return {row["transaction_id"]: row for row in api.transactions(**filters)}


def assert_equals_ledger(api: Api, bank: Running, item_id: str) -> None:
    """Every field of every transaction that the bank holds is listed, and nothing else."""
    ours = stored(api, item_id=item_id, user_id="*")
    theirs = {row["transaction_id"]: row for row in bank.control.ledger(item_id)["transactions"]}
    assert ours.keys() == theirs.keys()
    for transaction_id, row in theirs.items():
        listed = ours[transaction_id]
        assert {name: listed[name] for name in row} == row


def query(runtime: Runtime, sql: str, **params: Any) -> Sequence[Row[Any]]:
    """Look into the service's database, or change it."""
    with runtime.database.session() as session:
        result = session.execute(text(sql), params)
        return result.all() if result.returns_rows else ()  # type: ignore[attr-defined]  # a cursor's


@contextmanager
def executed(runtime: Runtime, of: Engine | None = None) -> Iterator[list[tuple[str, Any]]]:
    """Give the SQL statements that the service's sessions execute in a block, with parameters."""
    engine = of or runtime.database.engine
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def dictate_page(bank: Running, page: dict[str, Any], **fault: Any) -> None:
    """Let `/transactions/sync` answer with this page; what it leaves out is empty and complete."""
    whole = {
        "added": [],
        "modified": [],
        "removed": [],
        "accounts": [],
        "has_more": False,
        "transactions_update_status": "HISTORICAL_UPDATE_COMPLETE",
        "request_id": "abcdefghijklmno",
    }
    bank.control.fault(SYNC_PATH, body=json.dumps(whole | page), **fault)


def never() -> bool:
    """Say that nobody wants the work to stop."""
    return False


def waiting_for_locks(runtime: Runtime) -> int:
    """Return how many connections to the service's database wait for a lock."""
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    return len(query(runtime, f"{waiting} AND datname = current_database()"))


def tags(runtime: Runtime) -> dict[str, str]:
    """Return the state of each product tag."""
    return {row.product: row.state for row in query(runtime, "SELECT * FROM item_products")}


class Hold(NamedTuple):
    """A planted fault that holds calls at Plaid."""

    bank: Running
    fault_id: str

    def reached(self, calls: int = 1) -> None:
        """Wait until so many calls are held."""
        wait_until(lambda: self._shown()["held"] >= calls)

    def release(self) -> None:
        """Let the held calls go."""
        self.bank.control.release(self.fault_id)

    def _shown(self) -> dict[str, Any]:
        faults = self.bank.control.faults()
        return next(each for each in faults if each["fault_id"] == self.fault_id)


@contextmanager
def holding(bank: Running, path: str, **fault: Any) -> Iterator[Hold]:
    """Hold calls to a path until released, at the latest when the block ends."""
    hold = Hold(bank, bank.control.fault(path, hold=True, **fault))
    try:
        yield hold
    finally:
        hold.release()


@contextmanager
def background() -> Iterator[Callable[..., Future[Any]]]:
    """Give a way to call something in another thread."""
    with ThreadPoolExecutor(32) as pool:
        yield pool.submit
