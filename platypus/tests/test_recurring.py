"""/transactions/recurring/get: what comes again, how often, and whether it still does."""

from datetime import date, timedelta
from typing import Any

import pytest
from plaid.model.transactions_recurring_get_request import TransactionsRecurringGetRequest

from platypus_bank.recurring import find_streams

TODAY = date(2026, 6, 30)


def rows(*days_ago: int, amount: float = 9.99, **fields: Any) -> list[dict[str, Any]]:
    """Purchases of one name, so many days ago."""
    return [
        {
            "transaction_id": f"t{each}",
            "account_id": "a",
            "date": (TODAY - timedelta(days=each)).isoformat(),
            "amount": amount,
            "name": "MUSIC 123",
            "merchant_name": "Music",
            "pending": False,
            "personal_finance_category": None,
            "iso_currency_code": "USD",
            "unofficial_currency_code": None,
            **fields,
        }
        for each in days_ago
    ]


@pytest.mark.parametrize(
    ("days_ago", "frequency", "status", "is_active"),
    [
        ((1, 8, 15, 22), "WEEKLY", "MATURE", True),
        ((3, 17, 31, 45), "BIWEEKLY", "MATURE", True),
        ((0, 15, 30, 46, 61), "SEMI_MONTHLY", "MATURE", True),
        ((10, 41, 71, 102), "MONTHLY", "MATURE", True),
        ((10, 41), "MONTHLY", "EARLY_DETECTION", True),
        ((100, 130), "MONTHLY", "TOMBSTONED", False),
        ((100, 130, 160), "MONTHLY", "MATURE", False),
        ((30, 395), "ANNUALLY", "MATURE", True),
        # One that came late, or once more, is still the same stream.
        ((10, 41, 60, 71, 102, 132, 163), "MONTHLY", "MATURE", True),
    ],
)
def test_how_often(
    days_ago: tuple[int, ...], frequency: str, status: str, *, is_active: bool
) -> None:
    (stream,) = find_streams(rows(*days_ago), TODAY).outflow
    assert (stream["frequency"], stream["status"], stream["is_active"]) == (
        frequency, status, is_active,
    )  # fmt: skip
    assert stream["transaction_ids"] == [f"t{each}" for each in sorted(days_ago, reverse=True)]
    assert stream["first_date"] <= stream["last_date"]
    assert (stream["predicted_next_date"] is None) is not is_active


@pytest.mark.parametrize("days_ago", [(), (5,), (1, 4, 60, 61, 200), (5, 5, 5)])
def test_no_rhythm_is_no_stream(days_ago: tuple[int, ...]) -> None:
    assert find_streams(rows(*days_ago), TODAY) == ([], [])


def test_pending_ones_and_other_directions_are_apart() -> None:
    waiting = rows(1, pending=True)
    refund = rows(2, 32, 62, amount=-5)
    found = find_streams([*rows(10, 41, 71), *waiting, *refund], TODAY)
    assert len(found.outflow[0]["transaction_ids"]) == 3
    assert found.inflow[0]["average_amount"]["amount"] == -5


def test_user_good_has_its_months(api: Any) -> None:
    access, _ = api.item()
    got = api.post("/transactions/recurring/get", access_token=access)
    frequencies = {
        each["merchant_name"] or each["description"]: each["frequency"]
        for each in (*got["inflow_streams"], *got["outflow_streams"])
    }
    assert {name for name, each in frequencies.items() if each != "MONTHLY"} == {"Uber"}
    assert frequencies["Uber"] == "SEMI_MONTHLY"
    (wages,) = [each for each in got["outflow_streams"] if each["merchant_name"] == "Gusto"]
    assert len(wages["transaction_ids"]) == 24
    _, held = api.pull(access)
    assert set(wages["transaction_ids"]) <= set(held)
    again = api.post("/transactions/recurring/get", access_token=access)
    assert again["inflow_streams"] == got["inflow_streams"]


def test_one_account_only(api: Any) -> None:
    access, _ = api.item()
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    saving = next(each["account_id"] for each in accounts if each["mask"] == "1111")
    got = api.post("/transactions/recurring/get", access_token=access, account_ids=[saving])
    streams = (*got["inflow_streams"], *got["outflow_streams"])
    assert {each["account_id"] for each in streams} == {saving}


def test_it_takes_all_of_the_history(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    bank.control.readiness(item_id, "INITIAL_UPDATE_COMPLETE")
    refused = api.post("/transactions/recurring/get", access_token=access)
    assert refused.error == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")
    without, _ = api.item("liabilities")
    refused = api.post("/transactions/recurring/get", access_token=without)
    assert refused.error == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")


def test_recurring_typed(typed: Any, api: Any) -> None:
    access, _ = api.item()
    got = typed.transactions_recurring_get(TransactionsRecurringGetRequest(access_token=access))
    assert str(got.outflow_streams[0].status) == "MATURE"
