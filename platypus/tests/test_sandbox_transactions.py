"""/sandbox/transactions/create: money of one's own for the dynamic user."""

from datetime import date, timedelta
from typing import Any

import pytest

INVALID_FIELD = (400, "INVALID_REQUEST", "INVALID_FIELD")


@pytest.fixture
def today(bank: Any) -> date:
    return date.fromisoformat(bank.control.clock()["today"])


def dynamic(api: Any, **options: Any) -> str:
    access, _ = api.item(
        override_username="user_transactions_dynamic", override_password="any", **options
    )
    return str(access)


def create(api: Any, access: str, *transactions: dict[str, Any]) -> Any:
    return api.post(
        "/sandbox/transactions/create", access_token=access, transactions=list(transactions)
    )


def bought(today: date, transacted: int = 0, posted: int = 0, **fields: Any) -> dict[str, Any]:
    return {
        "date_transacted": (today - timedelta(days=transacted)).isoformat(),
        "date_posted": (today - timedelta(days=posted)).isoformat(),
        "amount": 12.34,
        "description": "A hat",
        **fields,
    }


def test_a_created_transaction_is_synced_and_told(api: Any, today: date, receiver: Any) -> None:
    access = dynamic(api, webhook=receiver.url)
    cursor, _ = api.pull(access)
    receiver.wait(2)
    assert create(api, access, bought(today, 3, 1, iso_currency_code="CAD")).status == 200
    [row] = api.sync(access, cursor)["added"]
    assert (str(row["amount"]), row["name"], row["iso_currency_code"], row["pending"]) == (
        "12.34", "A hat", "CAD", False,
    )  # fmt: skip
    assert row["date"] == (today - timedelta(days=1)).isoformat()
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    account = next(each for each in accounts if each["account_id"] == row["account_id"])
    assert account["type"] == "depository"
    told = {each.code for each in receiver.wait(4)[2:]}
    assert told == {"DEFAULT_UPDATE", "SYNC_UPDATES_AVAILABLE"}


@pytest.mark.parametrize(("transacted", "posted"), [(15, 1), (0, -1), (1, 2), (-1, -1)])
def test_dates_lie_in_the_last_two_weeks(
    api: Any, today: date, transacted: int, posted: int
) -> None:
    refused = create(api, dynamic(api), bought(today, transacted, posted))
    assert refused.error == INVALID_FIELD
    assert refused["error_message"] == (
        "Transaction and posted dates must be within the last 14 days. "
        "The posted date cannot be before the transaction date."
    )


def test_only_ten_and_only_the_dynamic_user(api: Any, today: date) -> None:
    refused = create(api, dynamic(api), *[bought(today)] * 11)
    assert refused.error == INVALID_FIELD
    assert refused["error_message"] == "The request contains too many transactions."
    access, _ = api.item()
    assert create(api, access, bought(today)).error == INVALID_FIELD


def test_a_refused_one_leaves_nothing_behind(api: Any, today: date) -> None:
    access = dynamic(api)
    cursor, _ = api.pull(access)
    assert create(api, access, bought(today), bought(today, 1, 2)).status == 400
    assert api.sync(access, cursor)["added"] == []
