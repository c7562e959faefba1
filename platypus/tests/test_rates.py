"""Rates: how many calls came, by the wall clock, and how limits refuse them."""

import time
from typing import Any

import pytest

from platypus_bank.testing import ControlError

ITEM_GET = "/item/get"


def test_the_most_calls_of_any_window(api: Any, bank: Any) -> None:
    """By the wall clock: advancing the world's spreads nothing out."""
    (mine, my_id), (other, other_id) = api.item(), api.item()
    bank.control.forget_calls()
    for access in (mine, mine, mine, other):
        api.post(ITEM_GET, access_token=access)
        bank.control.advance(3600)
    api.post("/accounts/get", access_token=mine)
    rates = bank.control.rates(ITEM_GET)
    assert rates["total"] == 4
    assert rates["items"] == {my_id: 3, other_id: 1}
    assert bank.control.rates()["total"] == 5


def test_a_short_window_holds_fewer(api: Any, bank: Any) -> None:
    access, item_id = api.item()
    bank.control.forget_calls()
    for count in (2, 1):
        for _ in range(count):
            api.post(ITEM_GET, access_token=access)
        time.sleep(0.6)
    assert bank.control.rates(ITEM_GET, 0.5)["items"] == {item_id: 2}
    assert bank.control.rates(ITEM_GET)["items"] == {item_id: 3}


@pytest.mark.parametrize("seconds", ["0", "-1", "many"])
def test_a_window_is_a_number(bank: Any, seconds: str) -> None:
    with pytest.raises(ControlError, match="window_seconds"):
        bank.control.call("GET", f"/calls/rates?window_seconds={seconds}")


@pytest.mark.parametrize(
    ("path", "limit", "code"),
    [
        (ITEM_GET, {"item": 2}, "ITEM_GET_LIMIT"),
        (ITEM_GET, {"client": 2}, "ITEM_GET_LIMIT"),
        ("/transactions/sync", {"item": 2}, "TRANSACTIONS_SYNC_LIMIT"),
        ("/accounts/get", {"item": 2}, "ACCOUNTS_LIMIT"),
        ("/accounts/balance/get", {"item": 2}, "BALANCE_LIMIT"),
        ("/accounts/balance/get", {"client": 2}, "ACCOUNTS_BALANCE_GET_LIMIT"),
    ],
)
def test_one_call_too_many_is_refused(
    api: Any, bank: Any, path: str, limit: dict[str, int], code: str
) -> None:
    access, _ = api.item()
    bank.control.settings(rate_limits={path: limit})
    assert [api.post(path, access_token=access).status for _ in range(2)] == [200, 200]
    refused = api.post(path, access_token=access)
    assert refused.error == (429, "RATE_LIMIT_EXCEEDED", code)
    assert "please try again later" in refused["error_message"]
    bank.control.settings(rate_limits=None)
    assert api.post(path, access_token=access).status == 200


def test_items_have_limits_of_their_own(api: Any, bank: Any) -> None:
    (mine, _), (other, _) = api.item(), api.item()
    bank.control.settings(rate_limits={ITEM_GET: {"item": 1, "client": 2}})
    statuses = [api.post(ITEM_GET, access_token=each).status for each in (mine, mine, other, other)]
    assert statuses == [200, 429, 200, 429]
    assert api.post("/accounts/get", access_token=mine).status == 200


@pytest.mark.parametrize(
    ("preset", "most", "path_and_code"),
    [
        ("published", 40, (ITEM_GET, "ITEM_GET_LIMIT")),
        ("published", 25, ("/accounts/balance/get", "BALANCE_LIMIT")),
        ("published", 10, ("/liabilities/get", "LIABILITIES_GET_LIMIT")),
        ("published_production", 15, (ITEM_GET, "ITEM_GET_LIMIT")),
        ("published_production", 5, ("/accounts/balance/get", "BALANCE_LIMIT")),
        ("published_production", 2, ("/transactions/refresh", "TRANSACTIONS_REFRESH_LIMIT")),
        ("published_production", 1, ("/investments/refresh", "INVESTMENTS_REFRESH_LIMIT")),
    ],
)
def test_published_limits(
    api: Any, bank: Any, preset: str, most: int, path_and_code: tuple[str, str]
) -> None:
    """An Item's, of Plaid's own tables for the Sandbox and for Production."""
    (mine, _), (other, _) = (
        api.item("transactions", "investments", "liabilities") for _ in range(2)
    )
    path, code = path_and_code
    shown = bank.control.settings(rate_limits=preset)
    assert shown["rate_limits"] == preset
    answers = [api.post(path, access_token=mine) for _ in range(most + 1)]
    assert [each.status for each in answers] == [200] * most + [429]
    assert answers[-1]["error_code"] == code
    assert api.post(path, access_token=other).status == 200


def test_a_published_limit_of_the_client(api: Any, bank: Any) -> None:
    bank.control.settings(rate_limits="published")
    asked = {"count": 1, "offset": 0, "country_codes": ["US"]}
    answers = [api.post("/institutions/get", **asked) for _ in range(11)]
    assert [each.status for each in answers] == [200] * 10 + [429]
    assert answers[-1]["error_code"] == "INSTITUTIONS_GET_LIMIT"


@pytest.mark.parametrize(
    "limits", ["secret", {ITEM_GET: {"item": -1}}, {ITEM_GET: {"minute": 1}}, []]
)
def test_odd_limits_are_refused(bank: Any, limits: Any) -> None:
    with pytest.raises(ControlError):
        bank.control.settings(rate_limits=limits)


def test_a_limits_minute_is_the_worlds(api: Any, bank: Any) -> None:
    access, _ = api.item()
    bank.control.settings(rate_limits={ITEM_GET: {"item": 1}})
    statuses = []
    for _ in range(3):
        statuses += [api.post(ITEM_GET, access_token=access).status for _ in range(2)]
        bank.control.advance(60)
    assert statuses == [200, 429] * 3
