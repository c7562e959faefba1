"""The living bank: what happens there follows from the seed, and from how much time went by."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import plaid
import pytest
from plaid.api import plaid_api
from plaid.model.investments_holdings_get_request import InvestmentsHoldingsGetRequest
from plaid.model.liabilities_get_request import LiabilitiesGetRequest
from plaid.model.transactions_sync_request import TransactionsSyncRequest

from platypus_bank.receiver import until
from platypus_bank.testing import ControlError, Running, running
from raw_plaid import Plaid

DAY = 86_400
NEW_YEAR = "2024-01-01T09:00:00Z"


@pytest.fixture(scope="module")
def lived() -> Iterator[Plaid]:
    """A bank whose clock stands in January 2024, and moves when it is told to."""
    with running(client_id="some-client") as bank:
        yield Plaid(bank)


def new_year(bank: Running) -> None:
    """Begin a world that stands in January 2024, and whose history is there at once."""
    bank.control.reset(stands_at=NEW_YEAR)
    instantly = {"initial_update_seconds": 0, "historical_update_seconds": 0}
    bank.control.settings(login_days=None, **instantly)


@pytest.fixture
def city(lived: Plaid) -> Plaid:
    new_year(lived.bank)
    return lived


def resident(city: Plaid, name: str = "user_living", *products: str, **options: Any) -> str:
    """Link a person; returns the access token."""
    return city.item(*(products or ("transactions",)), override_username=name, **options)[0]


def accounts(city: Plaid, token: str) -> dict[str, dict[str, Any]]:
    got = city.post("/accounts/get", access_token=token)["accounts"]
    return {each["mask"]: each for each in got}


class Diary:
    """What a client that syncs every day gets to see."""

    def __init__(self, city: Plaid, token: str) -> None:
        self.city, self.token = city, token
        self.cursor, self.rows = city.pull(token)
        self.first_seen = dict(self.rows)
        self.gone: dict[str, dict[str, Any]] = {}
        self.changes: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def live(self, days: int) -> "Diary":
        """Sync once a day, in small pages."""
        for _ in range(days):
            self.city.bank.control.advance(DAY)
            self.cursor, news = self.city.pull(self.token, self.cursor, count=2)
            for key, row in news.items():
                self._note(key, row)
        return self

    def _note(self, key: str, row: dict[str, Any] | None) -> None:
        before = self.rows.get(key)
        if row is None:
            self.gone[key] = self.rows.pop(key)
            return
        if before is not None:
            self.changes.append((before, row))
        self.first_seen.setdefault(key, row)
        self.rows[key] = row


def worlds_hash(leaps: int, days: int, seed: int = 7) -> dict[str, Any]:
    with running(client_id="some-client") as bank:
        bank.control.reset(seed, stands_at=NEW_YEAR)
        bank.control.settings(login_days=None)
        city = Plaid(bank)
        for place, products in enumerate((["transactions"], ["transactions", "investments"])):
            city.item(
                *products,
                override_username=f"user_living_{place}",
                transactions={"days_requested": 90},
                webhook="http://127.0.0.1:9/" if place else None,
            )
        for _ in range(leaps):
            bank.control.advance(days * DAY / leaps)
        return bank.control.ledger_hash()


def test_a_year_in_one_leap_is_a_year_in_many() -> None:
    """Nobody can tell from what is there how the clock got there; another seed is another city."""
    at_once = worlds_hash(1, 200)
    assert at_once["items"] == 2
    assert at_once["transactions"] > 1000
    assert worlds_hash(61, 200) == at_once
    assert worlds_hash(1, 200, seed=8)["hash"] != at_once["hash"]


def test_one_name_is_one_person_at_every_bank(city: Plaid) -> None:
    def told(name: str) -> list[tuple[str, str, str]]:
        _, rows = city.pull(resident(city, name))
        return sorted((row["date"], row["name"], str(row["amount"])) for row in rows.values())

    first = told("user_living_ada")
    assert first == told("user_living_ada")
    assert first != told("user_living_ben")


@pytest.fixture(scope="module")
def spring() -> Iterator[Diary]:
    """A hundred and fifty days with one sync each, beginning with one day of history."""
    with running(client_id="some-client") as bank:
        new_year(bank)
        city = Plaid(bank)
        diary = Diary(city, resident(city, "user_living", transactions={"days_requested": 1}))
        yield diary.live(150)


def test_a_daily_client_holds_what_the_bank_has(spring: Diary) -> None:
    (item,) = spring.city.bank.control.items()
    ledger = spring.city.send(f"/platypus/ledger/{item['item_id']}", b"", "GET")["transactions"]
    assert {row["transaction_id"]: row for row in ledger} == spring.rows


def test_pendings_post_under_new_ids_change_or_vanish(spring: Diary) -> None:
    posted = {
        row["pending_transaction_id"]: row
        for row in spring.rows.values()
        if row["pending_transaction_id"]
    }
    pendings = {key: row for key, row in spring.gone.items() if row["pending"]}
    became = {key: posted[key] for key in pendings if key in posted}
    assert len(became) > 100
    assert any(pendings[key]["amount"] != row["amount"] for key, row in became.items())
    assert all(key != row["transaction_id"] for key, row in became.items())
    assert all(row["authorized_date"] == pendings[key]["date"] for key, row in became.items())
    vanished = [row for key, row in pendings.items() if key not in posted]
    assert vanished
    assert {row["merchant_name"] for row in vanished} == {"Tartan Inn"}


def test_posted_rows_are_modified_and_taken_away(spring: Diary) -> None:
    assert any(
        before["merchant_name"] is None and after["merchant_name"]
        for before, after in spring.changes
    )
    doubles = [row for row in spring.gone.values() if not row["pending"]]
    assert doubles
    twins = [
        row
        for double in doubles
        for row in spring.rows.values()
        if (row["name"], row["amount"]) == (double["name"], double["amount"])
    ]
    assert len(twins) == len(doubles)


def test_wages_transfers_payments_and_refunds(spring: Diary) -> None:
    """Money between own accounts shows on both, to the cent; wages come each second Friday."""
    detailed: dict[str, list[dict[str, Any]]] = {}
    for row in spring.rows.values():
        detailed.setdefault(row["personal_finance_category"]["detailed"], []).append(row)
    paydays = sorted(date.fromisoformat(row["date"]) for row in detailed["INCOME_WAGES"])
    assert {day.weekday() for day in paydays} == {4}
    assert {later - day for day, later in pairwise(paydays)} == {timedelta(days=14)}
    for name in ("LOAN_PAYMENTS_CREDIT_CARD_PAYMENT", "LOAN_PAYMENTS_STUDENT_LOAN_PAYMENT"):
        by_day: dict[str, Decimal] = {}
        for row in detailed[name]:
            by_day[row["date"]] = by_day.get(row["date"], Decimal(0)) + Decimal(row["amount"])
        assert by_day
        assert set(by_day.values()) == {Decimal(0)}
    assert any(row["amount"] < 0 and row["merchant_name"] for row in spring.rows.values())
    euros = [row for row in spring.rows.values() if row["iso_currency_code"] == "EUR"]
    assert any(row["amount"] > 0 for row in euros)
    assert "RENT_AND_UTILITIES_RENT" in detailed


def test_balances_move_with_what_is_posted(spring: Diary, city: Plaid) -> None:
    """From the first look on; what is pending is missing from what is available."""
    now = accounts(spring.city, spring.token)
    before = accounts(city, resident(city, "user_living", transactions={"days_requested": 1}))
    history = {
        key
        for key, row in spring.first_seen.items()
        if not row["pending"] and row["date"] <= "2024-01-01"
    }
    for mask, sign in (("0000", -1), ("1111", -1), ("7070", -1), ("3333", 1)):
        since = sum(
            Decimal(row["amount"])
            for key, row in spring.rows.items()
            if key not in history
            and not row["pending"]
            and row["account_id"] == now[mask]["account_id"]
        )
        moved = now[mask]["balances"]["current"] - before[mask]["balances"]["current"]
        assert moved == sign * since, mask
        pending = sum(
            Decimal(row["amount"])
            for row in spring.rows.values()
            if row["account_id"] == now[mask]["account_id"] and row["pending"]
        )
        balances = now[mask]["balances"]
        room = balances["current"] if sign < 0 else balances["limit"] - balances["current"]
        assert balances["available"] == room - pending


def positions(city: Plaid, token: str) -> dict[str, Decimal]:
    got = city.post("/investments/holdings/get", access_token=token)
    names = {each["security_id"]: each["ticker_symbol"] for each in got["securities"]}
    return {names[each["security_id"]]: Decimal(each["quantity"]) for each in got["holdings"]}


def test_trades_lead_from_what_was_held_to_what_is(city: Plaid) -> None:
    """Over a year in which one position is opened and sold whole, and another one splits."""
    token = resident(city, "user_living", "investments")
    before = positions(city, token)
    city.bank.control.advance(350 * DAY)
    after = positions(city, token)
    got = city.post(
        "/investments/transactions/get", access_token=token,
        start_date="2024-01-02", end_date="2100-01-01", options={"count": 500},
    )  # fmt: skip
    names = {each["security_id"]: each["ticker_symbol"] for each in got["securities"]}
    trades = got["investment_transactions"]
    for symbol in before.keys() | after.keys():
        moved = sum(Decimal(each["quantity"]) for each in trades
                    if names[each["security_id"]] == symbol)  # fmt: skip
        if symbol == "CUR:USD":
            moved = -sum(Decimal(each["amount"]) for each in trades)
        assert before.get(symbol, 0) + moved == after.get(symbol, 0), symbol
    (split,) = [each for each in trades if each["subtype"] == "split"]
    assert split["date"] == "2024-06-10"
    assert any(each["type"] == "sell" and names[each["security_id"]] == "BURR" for each in trades)
    assert "BURR" not in after
    worth = sum(Decimal(each["institution_value"]) for each in
                city.post("/investments/holdings/get", access_token=token)["holdings"])  # fmt: skip
    assert accounts(city, token)["5151"]["balances"]["current"] == worth


def test_debts_shrink_by_what_is_paid(city: Plaid) -> None:
    token = resident(city, "user_living", "transactions", "liabilities")
    before = accounts(city, token)["7777"]["balances"]["current"]
    told = city.post("/liabilities/get", access_token=token)["liabilities"]["student"][0]
    city.bank.control.advance(31 * DAY)
    after = accounts(city, token)["7777"]["balances"]["current"]
    now = city.post("/liabilities/get", access_token=token)["liabilities"]["student"][0]
    interest = now["ytd_interest_paid"]
    assert after == before + interest - now["last_payment_amount"]
    assert now["next_payment_due_date"] > told["next_payment_due_date"]
    assert now["last_payment_date"] == "2024-01-22"


def test_the_card_says_what_was_paid(city: Plaid) -> None:
    """As the transactions have it."""
    token = resident(city, "user_living", "transactions", "liabilities")
    [card] = city.post("/liabilities/get", access_token=token)["liabilities"]["credit"]
    _, rows = city.pull(token)
    paid = [row for row in rows.values() if row["name"] == "AUTOMATIC PAYMENT - THANK YOU"]
    last = max(paid, key=lambda row: str(row["date"]))
    assert (card["last_payment_date"], card["last_payment_amount"]) == (
        last["date"],
        -last["amount"],
    )


@pytest.mark.parametrize(
    ("today", "due"),
    [
        ("2024-02-24", "2024-02-26"),  # the 25th is a Sunday
        ("2024-02-26", "2024-03-25"),
        ("2024-12-31", "2025-01-27"),
    ],
)
def test_what_is_due_next_is_not_paid_yet(city: Plaid, today: str, due: str) -> None:
    city.bank.control.reset(stands_at=f"{today}T09:00:00Z")
    token = resident(city, "user_living", "liabilities")
    [card] = city.post("/liabilities/get", access_token=token)["liabilities"]["credit"]
    assert card["next_payment_due_date"] == due


def test_news_is_told_as_it_happens(city: Plaid, receiver: Any) -> None:
    """Without any call of the client's: each product's own webhook, when the day brought it news."""
    token = resident(
        city, "user_living", "transactions", "investments", "liabilities", webhook=receiver.url
    )
    city.pull(token)
    city.bank.control.advance(31 * DAY)
    news = {
        ("TRANSACTIONS", "SYNC_UPDATES_AVAILABLE"),
        ("HOLDINGS", "DEFAULT_UPDATE"),
        ("INVESTMENTS_TRANSACTIONS", "DEFAULT_UPDATE"),
        ("LIABILITIES", "DEFAULT_UPDATE"),
    }
    until(lambda: {(e.json["webhook_type"], e.code) for e in receiver.received} >= news)


def test_a_broken_login_sees_nothing_and_then_everything(city: Plaid) -> None:
    token, item_id = city.item("transactions", override_username="user_living")
    cursor, rows = city.pull(token)
    city.bank.control.break_login(item_id)
    city.bank.control.advance(30 * DAY)
    assert city.sync(token, cursor).error == (400, "ITEM_ERROR", "ITEM_LOGIN_REQUIRED")
    city.bank.control.repair(item_id)
    _, news = city.pull(token, cursor)
    held = {key: row for key, row in {**rows, **news}.items() if row is not None}
    ledger = city.send(f"/platypus/ledger/{item_id}", b"", "GET")["transactions"]
    assert held == {row["transaction_id"]: row for row in ledger}
    assert len(held) > len(rows) + 30


def test_an_account_that_was_not_shared_is_silent_until_it_is(city: Plaid) -> None:
    """What happened on it meanwhile comes along when update mode shares it."""
    link_token = city.link_token()
    made = city.bank.control.complete_link(link_token, username="user_living", accounts=["0000"])
    token = city.post("/item/public_token/exchange", public_token=made["public_token"])[
        "access_token"
    ]
    city.pull(token)
    city.bank.control.advance(20 * DAY)
    cursor, rows = city.pull(token)
    assert len({row["account_id"] for row in rows.values()}) == 1
    update = city.link_token(
        access_token=token, products=None, update={"account_selection_enabled": True}
    )
    city.bank.control.complete_link(update, username="user_living", accounts=["0000", "3333"])
    _, news = city.pull(token, cursor)
    card = accounts(city, token)["3333"]["account_id"]
    days = {row["date"] for row in news.values() if row["account_id"] == card}
    assert min(days) < "2024-01-01" < max(days)


def test_plaid_python_reads_it_all(city: Plaid) -> None:
    token = resident(city, "user_living", "transactions", "investments", "liabilities")
    keys = {"clientId": "some-client", "secret": "some-secret"}
    with plaid.ApiClient(plaid.Configuration(host=city.bank.url, api_key=keys)) as client:
        typed = plaid_api.PlaidApi(client)
        page = typed.transactions_sync(TransactionsSyncRequest(access_token=token, count=500))
        held = typed.investments_holdings_get(InvestmentsHoldingsGetRequest(access_token=token))
        owed = typed.liabilities_get(LiabilitiesGetRequest(access_token=token))
    assert len(page.added) == 500
    assert held.holdings
    assert owed.liabilities.student


def test_a_crowd_links_at_once(city: Plaid) -> None:
    """Each is somebody else, and is linked as by Link and an exchange."""
    crowd = city.bank.control.crowd(3, days_requested=30)
    assert [each["item_id"] for each in crowd] == [
        each["item_id"] for each in city.bank.control.items()
    ]
    seen = [tuple(sorted(city.pull(each["access_token"])[1])) for each in crowd]
    assert len(set(seen)) == 3
    with pytest.raises(ControlError, match="<= 20000"):
        city.bank.control.crowd(20_001)


def test_a_clock_that_stands_moves_only_when_it_is_told_to(city: Plaid) -> None:
    control = city.bank.control
    assert control.clock()["now"] == control.clock()["now"] == "2024-01-01T09:00:00.000Z"
    assert control.advance(60)["now"] == "2024-01-01T09:01:00.000Z"
    city.bank.restart()
    assert control.clock() == {**control.clock(), "now": "2024-01-01T09:01:00.000Z", "stands": True}
    assert control.start_clock()["stands"] is False
    until(lambda: control.clock()["now"] > "2024-01-01T09:01:00.000Z")
    stopped = control.stop_clock()["now"]
    assert control.clock()["now"] == stopped


def test_a_balance_that_was_taken_away_stays_unknown(city: Plaid) -> None:
    token, item_id = city.item("transactions", override_username="user_living")
    checking = accounts(city, token)["0000"]
    unknown = {"account_id": checking["account_id"], "balances": {"available": None}}
    city.bank.control.accounts(item_id, upsert=[unknown])
    city.bank.control.advance(30 * DAY)
    after = accounts(city, token)["0000"]["balances"]
    assert after["available"] is None
    assert after["current"] != checking["balances"]["current"]


def test_a_history_begins_where_it_was_asked_to(city: Plaid) -> None:
    """By `start_date`, which may lie before the days requested, and ends at `end_date`."""
    bounds = {"start_date": "2022-06-01", "end_date": "2023-12-15", "days_requested": 90}
    token = resident(city, "user_living", transactions=bounds)
    cursor, rows = city.pull(token)
    days = sorted(row["date"] for row in rows.values())
    assert "2022-06-01" <= days[0] < "2022-06-10"
    assert "2023-12-05" < days[-1] <= "2023-12-15"
    city.bank.control.advance(10 * DAY)
    assert city.pull(token, cursor)[1] == {}
