"""The Sandbox's people: https://plaid.com/docs/sandbox/test-credentials/."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

USER_GOOD = [
    ("Plaid Checking", "0000", "depository", "checking", "110", "100", None),
    ("Plaid Saving", "1111", "depository", "savings", "210", "200", None),
    ("Plaid CD", "2222", "depository", "cd", "1000", None, None),
    ("Plaid Credit Card", "3333", "credit", "credit card", "410", None, "2000"),
    ("Plaid Money Market", "4444", "depository", "money market", "43200", "43200", None),
    ("Plaid IRA", "5555", "investment", "ira", "320.76", None, None),
    ("Plaid 401k", "6666", "investment", "401k", "23631.9805", None, None),
    ("Plaid Student Loan", "7777", "loan", "student", "65262", None, None),
    ("Plaid Mortgage", "8888", "loan", "mortgage", "56302.06", None, None),
    ("Plaid HSA", "9001", "depository", "hsa", "6009", "6009", None),
    ("Plaid Cash Management", "9002", "depository", "cash management", "12060", "12060", None),
    ("Plaid Business Credit Card", "9999", "credit", "credit card", "5020", "4980", "10000"),
    ("Plaid Auto Loan", "9003", "loan", "auto", "23211.33", None, None),
    ("Plaid Home Equity Line of Credit", "9004", "loan", "home equity", "13500.50", None, None),
]


def test_user_good_owns_the_documented_accounts(api: Any) -> None:
    access, _ = api.item()
    shown = []
    for each in api.post("/accounts/get", access_token=access)["accounts"]:
        money = [each["balances"][name] for name in ("current", "available", "limit")]
        texts = [None if value is None else str(value) for value in money]
        shown.append((each["name"], each["mask"], each["type"], each["subtype"], *texts))
    assert shown == USER_GOOD


def test_user_good_repeats_sixteen_transactions_monthly(api: Any) -> None:
    access, _ = api.item()
    _, rows = api.pull(access)
    names = Counter(row["name"] for row in rows.values())
    assert sum(names.values()) == 388
    assert names["Uber 063015 SF**POOL**"] == 25
    assert names["United Airlines"] == 25 + 24
    assert set(Counter(names.values())) == {24, 25, 49}
    assert not any(row["pending"] for row in rows.values())


def test_a_refresh_finds_nothing_new_for_user_good(api: Any) -> None:
    access, _ = api.item()
    cursor, _ = api.pull(access)
    assert api.post("/transactions/refresh", access_token=access).status == 200
    assert api.pull(access, cursor)[1] == {}


def test_a_refresh_moves_the_dynamic_user_on(api: Any, ledger: Any) -> None:
    access, item_id = api.item(
        override_username="user_transactions_dynamic", override_password="any"
    )
    cursor, rows = api.pull(access)
    assert len(rows) == 50
    waiting = {key for key, row in rows.items() if row["pending"]}
    assert len(waiting) == 4
    api.post("/transactions/refresh", access_token=access)
    page = api.sync(access, cursor)
    assert {row["transaction_id"] for row in page["removed"]} == waiting
    posted = {row["pending_transaction_id"] for row in page["added"] if not row["pending"]}
    assert posted == waiting
    assert sum(row["pending"] for row in page["added"]) == 4
    [raised] = page["modified"]
    assert raised["amount"] == rows[raised["transaction_id"]]["amount"] + 1
    assert len(ledger(item_id)) == 54


def test_two_items_of_one_login_share_no_id(api: Any) -> None:
    first, second = (api.pull(api.item()[0])[1] for _ in range(2))
    assert not first.keys() & second.keys()
    assert not {row["account_id"] for row in first.values()} & {
        row["account_id"] for row in second.values()
    }


def test_any_name_with_the_good_password_is_user_good(api: Any) -> None:
    access, _ = api.item(override_username="somebody", override_password="pass_good")
    assert len(api.post("/accounts/get", access_token=access)["accounts"]) == 14


@pytest.mark.parametrize("password", ["wrong", ""])
def test_a_wrong_password_is_refused(api: Any, password: str) -> None:
    refused = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options={"override_username": "user_good", "override_password": password},
    )
    assert refused.error == (400, "ITEM_ERROR", "INVALID_CREDENTIALS")


def test_a_window_bounds_history(api: Any, bank: Any) -> None:
    today = bank.control.clock()["today"]
    access, _ = api.item(transactions={"start_date": "2000-01-01", "end_date": today})
    assert len(api.pull(access)[1]) == 388
    access, _ = api.item(transactions={"start_date": "2000-01-01", "end_date": "2000-12-31"})
    assert api.pull(access)[1] == {}


def test_amounts_keep_their_digits(api: Any) -> None:
    access, _ = api.item()
    amounts = {row["amount"] for row in api.pull(access)[1].values()}
    assert {Decimal("5.40"), Decimal("2078.50"), Decimal("-4.22")} <= amounts
