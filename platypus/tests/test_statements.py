"""/statements/*: which there are, what a PDF says, and how more of them come in."""

import io
import re
from calendar import monthrange
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise
from typing import Any

import pytest
from plaid.model.statements_download_request import StatementsDownloadRequest
from plaid.model.statements_list_request import StatementsListRequest
from plaid.model.statements_refresh_request import StatementsRefreshRequest
from pypdf import PdfReader

from platypus_bank.passbook import LINES, LINES_MAX, TOTAL
from platypus_bank.world import World

TODAY = datetime.now(UTC).date()
THIS_MONTH = TODAY.replace(day=1)
LAST_MONTH = THIS_MONTH - timedelta(days=1)
A_YEAR_AGO = THIS_MONTH.replace(year=TODAY.year - 1)
YEAR = {"start_date": str(A_YEAR_AGO), "end_date": str(TODAY)}
DAY, HOUR = 86_400, 3600


def line_of(text: str, label: str) -> Decimal:
    """Read the figure at the end of the line that begins with a label."""
    (found,) = re.findall(rf"^{label} (-?[\d,]+\.\d\d)$", text, re.MULTILINE)
    return Decimal(found.replace(",", ""))


def changes(text: str) -> list[tuple[str, Decimal]]:
    """Read the day and the figure of each line about a transaction."""
    found = re.findall(r"^(\d{4}-\d\d-\d\d) .*? (-?[\d,]+\.\d\d)$", text, re.MULTILINE)
    return [(day, Decimal(change.replace(",", ""))) for day, change in found]


def listed(api: Any, access: str, mask: str = "0000") -> list[dict[str, Any]]:
    accounts = api.post("/statements/list", access_token=access)["accounts"]
    (account,) = [each for each in accounts if each["account_mask"] == mask]
    return list(account["statements"])


def read(api: Any, access: str, statement: dict[str, Any]) -> str:
    named = statement["statement_id"]
    content, _ = api.download("/statements/download", access_token=access, statement_id=named)
    return "\n".join(each.extract_text() for each in PdfReader(io.BytesIO(content)).pages)


def test_a_statement_for_each_month_that_ended(api: Any) -> None:
    access, item_id = api.item("statements", statements=YEAR)
    got = api.post("/statements/list", access_token=access)
    assert (got["item_id"], got["institution_name"]) == (item_id, "First Platypus Bank")
    assert {each["account_type"] for each in got["accounts"]} == {"depository", "credit"}
    for account in got["accounts"]:
        assert len(account["statements"]) == 12
        newest = account["statements"][0]
        assert newest["date_posted"] == str(LAST_MONTH)
        assert (newest["year"], newest["month"]) == (LAST_MONTH.year, LAST_MONTH.month)
    every = [each["statement_id"] for one in got["accounts"] for each in one["statements"]]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(("mask", "sign"), [("0000", -1), ("3333", 1)])
def test_a_statement_lists_the_months_transactions(api: Any, mask: str, sign: int) -> None:
    """Its lines are the ledger's, and opening plus lines makes closing."""
    access, _ = api.item("statements", "transactions", statements=YEAR)
    statement = listed(api, access, mask)[0]
    text = read(api, access, statement)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    (account,) = [each for each in accounts if each["mask"] == mask]
    rows = api.post(
        "/transactions/get",
        access_token=access,
        start_date=str(LAST_MONTH.replace(day=1)),
        end_date=str(LAST_MONTH),
        options={"account_ids": [account["account_id"]]},
    )["transactions"]
    assert rows
    told = changes(text)
    assert sorted(told) == sorted((each["date"], sign * each["amount"]) for each in rows)
    assert all(each["name"] in text for each in rows)
    opening, closing = line_of(text, "Opening balance"), line_of(text, "Closing balance")
    assert opening + sum(change for _, change in told) == closing


def test_a_statement_begins_as_the_last_one_ended(api: Any) -> None:
    """And the balance of today is the last one's, and what came since."""
    access, _ = api.item("statements", "transactions", statements=YEAR)
    texts = [read(api, access, each) for each in listed(api, access)]
    for later, earlier in pairwise(texts):
        assert line_of(later, "Opening balance") == line_of(earlier, "Closing balance")
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    (checking,) = [each for each in accounts if each["mask"] == "0000"]
    since = api.post(
        "/transactions/get",
        access_token=access,
        start_date=str(THIS_MONTH),
        end_date=str(TODAY),
        options={"account_ids": [checking["account_id"]]},
    )["transactions"]
    spent = sum(each["amount"] for each in since)
    assert line_of(texts[0], "Closing balance") - spent == checking["balances"]["current"]


def test_the_bank_knows_what_transactions_has_not_given_out(api: Any) -> None:
    access, _ = api.item("statements", statements=YEAR)
    assert changes(read(api, access, listed(api, access)[-1]))


def test_pending_is_not_on_a_statement(api: Any, bank: Any) -> None:
    access, item_id = api.item("statements", "transactions", statements=YEAR)
    account_id = api.post("/statements/list", access_token=access)["accounts"][0]["account_id"]
    row = {"account_id": account_id, "date": str(LAST_MONTH), "amount": 1.5, "name": "Held back"}
    for name, pending in (("Held back", True), ("Café — “ok”", False)):
        bank.control.changes(item_id, added=[{**row, "name": name, "pending": pending}])
    text = read(api, access, listed(api, access)[0])
    assert "Held back" not in text
    assert "Café ? ?ok?" in text


def test_very_many_lines_are_summed_up(api: Any, bank: Any) -> None:
    """A PDF has a bound; what is more stands in one line, and all still adds up."""
    access, item_id = api.item("statements", "transactions", statements=YEAR)
    first = LAST_MONTH.replace(day=1)
    count = 14 * (LINES_MAX + 50) * ((TODAY - first).days + 1) // LAST_MONTH.day
    bank.control.call("POST", f"/items/{item_id}/bulk", {"count": count, "start_date": str(first)})
    text = read(api, access, listed(api, access)[0])
    told = changes(text)
    assert len(told) == LINES_MAX + 1
    assert re.search(r"\d+ more transactions", text)
    ends = line_of(text, "Closing balance") - line_of(text, "Opening balance")
    assert sum(change for _, change in told) == ends


def test_a_month_is_found_by_its_days() -> None:
    """However many rows an Item has, only those from the month on are looked at."""
    world = World()
    values = {"item": 1, "account": "a", "first": "2026-01-01", "last": "2026-01-31"}
    for query in (LINES, TOTAL):
        plan = world.store.sql.execute("EXPLAIN QUERY PLAN " + query, values).fetchall()
        steps = [step for *_, step in plan]
        assert any("transactions_by_date (item=? AND date>?" in each for each in steps), steps
        assert not any(each.startswith("SCAN transactions") for each in steps), steps
    world.close()


def test_the_same_bytes_again(api: Any, bank: Any) -> None:
    """The headers tell which call it was and what the bytes hash to."""
    access, _ = api.item("statements", statements=YEAR)
    named = listed(api, access)[0]["statement_id"]
    first, headers = api.download("/statements/download", access_token=access, statement_id=named)
    assert headers["content-type"] == "application/pdf"
    assert headers["plaid-content-hash"] == sha256(first).hexdigest()
    assert len(headers["plaid-request-id"]) == 15
    assert headers["plaid-request-id"] == bank.control.calls()[-1]["request_id"]
    bank.control.advance(3 * HOUR)
    again, _ = api.download("/statements/download", access_token=access, statement_id=named)
    assert again == first


def test_what_is_no_statement(api: Any) -> None:
    access, _ = api.item("statements", statements=YEAR)
    other, _ = api.item("statements", statements=YEAR)
    for named in ("nothing", listed(api, other)[0]["statement_id"]):
        refused = api.post("/statements/download", access_token=access, statement_id=named)
        assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_dates_are_required_of_link(api: Any) -> None:
    asked = {"institution_id": "ins_109508", "initial_products": ["statements"]}
    refused = api.post("/sandbox/public_token/create", **asked)
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")
    for array in ("products", "optional_products"):
        link = {"client_name": "a", "language": "en", "country_codes": ["US"]}
        link |= {"user": {"client_user_id": "1"}, "products": ["auth"], array: ["statements"]}
        refused = api.post("/link/token/create", **link)
        assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")
        assert api.post("/link/token/create", **link, statements=YEAR).status == 200


@pytest.mark.parametrize(
    ("start_date", "end_date"),
    [
        ("2024-02-01", "2024-01-31"),
        ("2021-01-01", "2023-02-01"),
        ("2023-02-29", "2023-03-31"),
        ("yesterday", "2023-03-31"),
    ],
)
def test_dates_that_are_no_period(api: Any, start_date: str, end_date: str) -> None:
    access, _ = api.item("statements", statements=YEAR)
    dates = {"start_date": start_date, "end_date": end_date}
    for refused in (
        api.post("/statements/refresh", access_token=access, **dates),
        api.post(
            "/sandbox/public_token/create",
            institution_id="ins_109508",
            initial_products=["statements"],
            options={"statements": dates},
        ),
    ):
        assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


def test_not_ready_at_first(api: Any, bank: Any) -> None:
    bank.control.settings(historical_update_seconds=60)
    access, _ = api.item("statements", statements=YEAR)
    paths = [("/statements/list", {}), ("/statements/refresh", YEAR)]
    for path, more in [*paths, ("/statements/download", {"statement_id": "x"})]:
        refused = api.post(path, access_token=access, **more)
        assert refused.error == (400, "ITEM_ERROR", "PRODUCT_NOT_READY")
    bank.control.advance(60)
    assert listed(api, access)


def test_a_bank_without_statements(api: Any, bank: Any) -> None:
    """A bank that lacks them is no obstacle to Link where it may lack them, but to every call."""
    token = api.link_token(
        products=["auth"], required_if_supported_products=["statements"], statements=YEAR
    )
    public = bank.control.complete_link(token, institution_id="ins_130016")["public_token"]
    access = api.post("/item/public_token/exchange", public_token=public)["access_token"]
    refused = api.post("/statements/list", access_token=access)
    assert refused.error == (400, "ITEM_ERROR", "PRODUCTS_NOT_SUPPORTED")


def test_statements_begin_on_first_use(api: Any, bank: Any) -> None:
    """Consented to in Link, they are extracted at the first call, of the dates that Link was told."""
    token = api.link_token(additional_consented_products=["statements"], statements=YEAR)
    public = bank.control.complete_link(token)["public_token"]
    access = api.post("/item/public_token/exchange", public_token=public)["access_token"]
    assert "statements" not in api.post("/item/get", access_token=access)["item"]["products"]
    assert len(listed(api, access)) == 12
    assert "statements" in api.post("/item/get", access_token=access)["item"]["products"]


def test_update_mode_adds_statements(api: Any, bank: Any) -> None:
    access, _ = api.item("transactions")
    refused = api.post("/statements/list", access_token=access)
    assert refused.error == (400, "INVALID_INPUT", "ADDITIONAL_CONSENT_REQUIRED")
    token = api.link_token(access_token=access, products=["statements"], statements=YEAR)
    bank.control.complete_link(token)
    assert len(listed(api, access)) == 12


def test_a_refresh_brings_older_ones_and_tells(
    api: Any, bank: Any, receiver: Any, read_webhook: Any
) -> None:
    access, item_id = api.item("statements", statements=YEAR, webhook=receiver.url)
    assert len(listed(api, access)) == 12
    bank.control.settings(historical_update_seconds=60)
    older = {
        "start_date": str(A_YEAR_AGO.replace(year=TODAY.year - 2)),
        "end_date": str(A_YEAR_AGO),
    }
    assert api.post("/statements/refresh", access_token=access, **older).status == 200
    assert len(listed(api, access)) == 12
    bank.control.advance(60)
    (told,) = receiver.wait(1)
    assert told.json == {
        "webhook_type": "STATEMENTS",
        "webhook_code": "STATEMENTS_REFRESH_COMPLETE",
        "item_id": item_id,
        "result": "SUCCESS",
        "environment": "sandbox",
    }
    read_webhook("statements_refresh_complete_webhook", told)
    assert len(listed(api, access)) == 24


def test_a_refresh_fails_with_the_login(api: Any, bank: Any, receiver: Any) -> None:
    bank.control.settings(historical_update_seconds=60)
    access, item_id = api.item("statements", statements=YEAR, webhook=receiver.url)
    bank.control.advance(60)
    api.post("/statements/refresh", access_token=access, **YEAR)
    bank.control.break_login(item_id)
    bank.control.advance(60)
    told = {each.code: each.json for each in receiver.wait(2)}
    assert told["STATEMENTS_REFRESH_COMPLETE"]["result"] == "FAILURE"


def test_a_month_that_ends_is_there_after_a_refresh(api: Any, bank: Any) -> None:
    bank.control.settings(login_days=None)
    until = str(TODAY + timedelta(days=60))
    access, _ = api.item("statements", statements={**YEAR, "end_date": until})
    days_left = monthrange(TODAY.year, TODAY.month)[1] - TODAY.day
    for days, months in ((days_left, 12), (1, 13)):
        bank.control.advance(days * DAY)
        dates = {"start_date": str(TODAY), "end_date": until}
        assert api.post("/statements/refresh", access_token=access, **dates).status == 200
        assert len(listed(api, access)) == months


def test_statements_typed(api: Any, typed: Any) -> None:
    access, _ = api.item("statements", statements=YEAR)
    account = typed.statements_list(StatementsListRequest(access_token=access)).accounts[0]
    statement = account.statements[0]
    assert statement.date_posted == LAST_MONTH
    request = StatementsDownloadRequest(access_token=access, statement_id=statement.statement_id)
    with typed.statements_download(request) as file:
        assert file.read().startswith(b"%PDF")
    dates = {name: date.fromisoformat(each) for name, each in YEAR.items()}
    refresh = StatementsRefreshRequest(access_token=access, **dates)
    assert typed.statements_refresh(refresh).request_id
