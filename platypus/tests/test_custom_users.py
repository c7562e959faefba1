"""user_custom: https://plaid.com/docs/sandbox/user-custom/."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
FILES = [
    *sorted((HERE / "fixtures").glob("*.json")),
    *sorted((HERE.parents[2] / "shared" / "custom-users").glob("*.json")),
]


def link(api: Any, text: str) -> str:
    access, _ = api.item(override_username="user_custom", override_password=text)
    return str(access)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_come_back_exactly(api: Any, bank: Any, path: Path) -> None:
    text = path.read_text()
    given = json.loads(text, parse_float=Decimal)["override_accounts"]
    access = link(api, text)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    _, rows = api.pull(access)
    assert len(accounts) == len(given)
    oldest = date.fromisoformat(bank.control.clock()["today"]) - timedelta(days=730)
    for account, wanted in zip(accounts, given, strict=True):
        mine = [row for row in rows.values() if row["account_id"] == account["account_id"]]
        assert sorted(map(told, mine)) == sorted(
            written(each)
            for each in wanted.get("transactions") or []
            if each["amount"] is not None and each["date_posted"] >= oldest.isoformat()
        )
        if wanted.get("starting_balance") is not None:
            assert str(account["balances"]["current"]) == str(wanted["starting_balance"])
        if wanted.get("force_available_balance") is not None:
            assert str(account["balances"]["available"]) == str(wanted["force_available_balance"])
        if wanted["type"]:
            assert (account["type"], account["subtype"]) == (wanted["type"], wanted["subtype"])


def told(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["date"], row["authorized_date"], str(row["amount"]), row["name"],
        row["iso_currency_code"],
    )  # fmt: skip


def written(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["date_posted"], row["date_transacted"], str(row["amount"]), row["description"],
        row["currency"],
    )  # fmt: skip


def test_defaults_where_the_file_is_silent(api: Any) -> None:
    access = link(api, (HERE / "fixtures" / "household.json").read_text())
    checking, card, loan, savings = api.post("/accounts/get", access_token=access)["accounts"]
    assert (checking["name"], checking["mask"]) == ("Joint Checking", "ab12")
    assert card["balances"]["available"] == 455
    assert loan["balances"]["available"] is None
    assert (savings["name"], savings["mask"]) == ("Plaid Savings", "0003")
    assert (savings["balances"]["current"], savings["balances"]["available"]) == (1000, 1000)


def test_a_future_posting_date_is_pending_until_it_comes(api: Any, bank: Any) -> None:
    today = date.fromisoformat(bank.control.clock()["today"])
    text = json.dumps(
        {
            "override_accounts": [
                {
                    "type": "depository",
                    "subtype": "checking",
                    "transactions": [
                        {
                            "date_transacted": today.isoformat(),
                            "date_posted": (today + timedelta(days=2)).isoformat(),
                            "amount": 7.1,
                            "description": "Parking",
                            "currency": "USD",
                        }
                    ],
                }
            ]
        }
    )
    access = link(api, text)
    cursor, rows = api.pull(access)
    [waiting] = rows.values()
    assert (waiting["pending"], waiting["date"]) == (True, today.isoformat())
    bank.control.advance(86_400)
    assert api.pull(access, cursor)[1] == {}
    bank.control.advance(86_400)
    page = api.sync(access, cursor)
    assert [each["transaction_id"] for each in page["removed"]] == [waiting["transaction_id"]]
    [posted] = page["added"]
    assert posted["pending_transaction_id"] == waiting["transaction_id"]
    assert posted["pending"] is False
    assert posted["date"] == (today + timedelta(days=2)).isoformat()
    assert posted["transaction_id"] != waiting["transaction_id"]


@pytest.mark.parametrize("text", ["{", "[]", '{"override_accounts": [{"starting_balance": true}]}'])
def test_nonsense_is_refused(api: Any, text: str) -> None:
    refused = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options={"override_username": "user_custom", "override_password": text},
    )
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")
