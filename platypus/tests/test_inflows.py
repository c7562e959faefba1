"""inflow_model of custom users: what comes in once a month, by the world's clock."""

import json
from datetime import date, timedelta
from typing import Any

import pytest

DAY = 86_400
INCOME = {
    "type": "monthly-income",
    "income_amount": 2_500.25,
    "payment_day_of_month": "last",
    "transaction_name": "ACME PAYROLL",
}


ON_THE_FIRST = {**INCOME, "payment_day_of_month": 1}


def person(inflow: dict[str, Any], **account: Any) -> dict[str, str]:
    """The options that link a custom user with one account."""
    known = {"type": "depository", "subtype": "checking", "inflow_model": inflow, **account}
    text = json.dumps({"override_accounts": [known]})
    return {"override_username": "user_custom", "override_password": text}


def debtor(kind: str, payment_day: int, statement_day: int, **more: Any) -> dict[str, str]:
    """The options that link a custom user who pays a debt."""
    inflow = {
        "type": kind,
        "payment_day_of_month": payment_day,
        "statement_day_of_month": statement_day,
        "transaction_name": "PAYMENT",
    }
    card = {"type": "credit", "subtype": "credit card", "starting_balance": 1_000.10}
    return person(inflow, **{**card, **more})


def months(rows: list[dict[str, Any]]) -> set[str]:
    return {row["date"][:7] for row in rows}


def today(bank: Any) -> date:
    return date.fromisoformat(bank.control.clock()["today"])


def go_to(bank: Any, day_of_month: int) -> None:
    """Let the world's clock come to the next such day; 1 is the day after a month has ended."""
    ahead = (today(bank) + timedelta(days=each) for each in range(1, 32))
    wanted = next(each for each in ahead if each.day == day_of_month)
    bank.control.advance((wanted - today(bank)).days * DAY)


def test_income_once_a_month(api: Any) -> None:
    """Two years of it are there from the beginning, beside what the file names."""
    cinema = {
        "date_transacted": "2026-01-01",
        "date_posted": "2026-01-01",
        "amount": 3,
        "description": "Cinema",
        "currency": "EUR",
    }
    access, _ = api.item(**person(INCOME, currency="EUR", transactions=[cinema]))
    _, seen = api.pull(access)
    rows = [row for row in seen.values() if row["name"] == "ACME PAYROLL"]
    assert len(rows) == len(months(rows)) >= 23
    for row in rows:
        tomorrow = date.fromisoformat(row["date"]) + timedelta(days=1)
        assert tomorrow.day == 1
        assert (str(row["amount"]), row["iso_currency_code"]) == ("-2500.25", "EUR")
        assert row["personal_finance_category"]["detailed"] == "INCOME_WAGES"
        assert row["pending"] is False


def test_it_comes_on_with_the_clock(api: Any, bank: Any, receiver: Any) -> None:
    """And a webhook tells of it, without a call."""
    access, _ = api.item(**person(ON_THE_FIRST), webhook=receiver.url)
    cursor, before = api.pull(access)
    receiver.wait(2)
    bank.control.settings(login_days=None)
    go_to(bank, 1)
    go_to(bank, 1)
    told = receiver.wait(6)[2:]
    assert {each.code for each in told} == {"SYNC_UPDATES_AVAILABLE", "DEFAULT_UPDATE"}
    _, rows = api.pull(access, cursor)
    assert len(rows) == len(months(list(rows.values()))) == 2
    assert not rows.keys() & before.keys()


def test_it_comes_to_those_who_ask(api: Any, bank: Any) -> None:
    """Without a webhook the next call brings it; an Item in error gets all of it when repaired."""
    access, item_id = api.item(**person(ON_THE_FIRST))
    cursor, _ = api.pull(access)
    bank.control.break_login(item_id)
    go_to(bank, 1)
    go_to(bank, 1)
    assert api.sync(access, cursor)["error_code"] == "ITEM_LOGIN_REQUIRED"
    bank.control.call("POST", f"/items/{item_id}/repair", {})
    _, rows = api.pull(access, cursor)
    assert len(rows) == 2


def test_the_same_world_gives_the_same_money(api: Any, bank: Any) -> None:
    def pulled() -> list[dict[str, Any]]:
        bank.control.reset(seed=7)
        bank.control.settings(initial_update_seconds=0, historical_update_seconds=0)
        return sorted(api.pull(api.item(**person(INCOME))[0])[1].values(), key=str)

    assert pulled() == pulled()


def test_the_balance_is_paid(api: Any) -> None:
    access, _ = api.item(**debtor("monthly-balance-payment", 5, 20))
    rows = list(api.pull(access)[1].values())
    assert len(rows) == len(months(rows)) >= 23
    assert {str(row["amount"]) for row in rows} == {"-1000.1"}
    assert {row["date"][-2:] for row in rows} == {"05"}
    detailed = {row["personal_finance_category"]["detailed"] for row in rows}
    assert detailed == {"LOAN_PAYMENTS_CREDIT_CARD_PAYMENT"}


@pytest.mark.parametrize(
    ("account", "amount"),
    [
        ({"liability": {"type": "credit", "purchase_apr": 12.9, "cash_apr": 50}}, "-10.75"),
        (
            {
                "type": "loan",
                "subtype": "student",
                "liability": {"type": "student", "nominal_apr": 6},
            },
            "-5.00",
        ),
    ],
)
def test_only_the_interest_is_paid(api: Any, account: dict[str, Any], amount: str) -> None:
    """A twelfth of a year's interest on the balance, in cents."""
    access, _ = api.item(**debtor("monthly-interest-only-payment", 15, 13, **account))
    rows = list(api.pull(access)[1].values())
    assert {str(row["amount"]) for row in rows} == {amount}


def test_without_interest_nothing_is_paid(api: Any) -> None:
    access, _ = api.item(**debtor("monthly-interest-only-payment", 15, 13))
    assert api.pull(access)[1] == {}


def test_the_balance_is_that_of_the_statement_day(api: Any, bank: Any) -> None:
    """What is owed more between statement and payment is paid a month later."""
    bank.control.settings(login_days=None)
    access, item_id = api.item(**debtor("monthly-balance-payment", 20, 10))
    account = api.post("/accounts/get", access_token=access)["accounts"][0]
    go_to(bank, 20)
    go_to(bank, 10)
    cursor, _ = api.pull(access)
    changed = {"account_id": account["account_id"], "balances": {"current": 77}}
    bank.control.call("POST", f"/items/{item_id}/accounts", {"upsert": [changed]})
    paid = []
    for _ in range(2):
        go_to(bank, 20)
        cursor, rows = api.pull(access, cursor)
        paid += [str(row["amount"]) for row in rows.values()]
    assert paid == ["-1000.1", "-77"]


@pytest.mark.parametrize(
    "inflow",
    [
        {"type": "weekly-income"},
        {**INCOME, "income_amount": None},
        {**INCOME, "transaction_name": None},
        {**INCOME, "payment_day_of_month": 29},
        {**INCOME, "payment_day_of_month": None},
        {**INCOME, "type": "monthly-balance-payment"},
    ],
)
def test_nonsense_is_refused(api: Any, inflow: dict[str, Any]) -> None:
    refused = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options=person(inflow),
    )
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_none_is_none(api: Any) -> None:
    for inflow in ({"type": "none"}, dict.fromkeys(INCOME)):
        access, _ = api.item(**person(inflow))
        assert api.pull(access)[1] == {}
