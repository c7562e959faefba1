"""user_custom: https://plaid.com/docs/sandbox/user-custom/."""

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from plaid.model.liabilities_get_request import LiabilitiesGetRequest

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
        monthly = (wanted.get("inflow_model") or {}).get("transaction_name")
        mine = [
            row
            for row in rows.values()
            if row["account_id"] == account["account_id"] and row["name"] != monthly
        ]
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


PRODUCTS = ("transactions", "investments", "liabilities", "identity")


def products(api: Any, path: Path) -> tuple[str, list[tuple[dict[str, Any], str]]]:
    """Link for every product: the access token, and what the file says of each account id."""
    text = path.read_text()
    given = json.loads(text, parse_float=Decimal)["override_accounts"]
    options = {"override_username": "user_custom", "override_password": text}
    access, _ = api.item(*PRODUCTS, **options)
    accounts = api.post("/accounts/get", access_token=access)["accounts"]
    ids = [each["account_id"] for each in accounts]
    return str(access), list(zip(given, ids, strict=True))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_owners_come_back_exactly(api: Any, path: Path) -> None:
    access, given = products(api, path)
    got = api.post("/identity/get", access_token=access)["accounts"]
    owners = {each["account_id"]: each["owners"] for each in got}
    for account, account_id in given:
        (owner,) = owners[account_id]
        for name, entries in (account.get("identity") or {}).items():
            assert owner[name] == without_nulls(entries) or not without_nulls(entries)


def without_nulls(entries: list[Any]) -> list[Any]:
    """Leave out what the blank template of Plaid's has in every list."""
    return [each for each in entries if "null" not in json.dumps(each, default=str)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_investments_come_back_exactly(api: Any, path: Path) -> None:
    access, given = products(api, path)
    if not any(account.get("holdings") for account, _ in given):
        refused = api.post("/investments/holdings/get", access_token=access)
        assert refused.error == (400, "ITEM_ERROR", "NO_INVESTMENT_ACCOUNTS")
        return
    held = api.post("/investments/holdings/get", access_token=access)
    ever = {"start_date": "2000-01-01", "end_date": "2100-01-01", "options": {"count": 500}}
    done = api.post("/investments/transactions/get", access_token=access, **ever)
    tickers = {
        each["security_id"]: each["ticker_symbol"]
        for each in (*held["securities"], *done["securities"])
    }
    for account, account_id in given:
        mine = [each for each in held["holdings"] if each["account_id"] == account_id]
        assert sorted(
            (tickers[each["security_id"]], each["quantity"], each["institution_price"],
             each["cost_basis"], each["institution_price_as_of"])
            for each in mine
        ) == sorted(
            (each["security"]["ticker_symbol"], each["quantity"], each["institution_price"],
             each.get("cost_basis"), each.get("institution_price_as_of"))
            for each in account.get("holdings") or ()
        )  # fmt: skip
        rows = [
            each for each in done["investment_transactions"] if each["account_id"] == account_id
        ]
        keys = ("date", "name", "quantity", "price", "fees", "type")
        assert sorted(tuple(map(str, map(each.get, keys))) for each in rows) == sorted(
            tuple(map(str, map(each.get, keys)))
            for each in account.get("investment_transactions") or ()
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_debts_come_back_exactly(api: Any, path: Path) -> None:
    access, given = products(api, path)
    expected = [each for each in given if (each[0].get("liability") or {}).get("type")]
    got = api.post("/liabilities/get", access_token=access)
    if not expected and got.status != 200:
        assert got.error == (400, "ITEM_ERROR", "NO_LIABILITY_ACCOUNTS")
    for account, account_id in expected:
        told = {name: each for name, each in account["liability"].items() if each is not None}
        lists = got["liabilities"]
        (debt,) = [each for each in lists[told["type"]] if each["account_id"] == account_id]
        for name in ("last_payment_amount", "minimum_payment_amount", "loan_name", "is_overdue"):
            assert name not in told or debt[name] == told[name]
        if told["type"] == "student":
            assert debt["origination_principal_amount"] == told["principal"]
            assert debt["interest_rate_percentage"] == told["nominal_apr"]
        else:
            aprs = {each["apr_type"]: each["apr_percentage"] for each in debt["aprs"]}
            written = {
                "special" if name == "special_apr" else name: each for name, each in told.items()
            }
            assert aprs == {name: each for name, each in written.items() if name in APRS}


APRS = {"balance_transfer_apr", "cash_apr", "purchase_apr", "special"}


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


def test_what_follows_from_what_the_investor_says(api: Any) -> None:
    access, given = products(api, HERE / "fixtures" / "investor.json")
    trading = given[0][1]
    held = api.post("/investments/holdings/get", access_token=access)
    known = {each["ticker_symbol"]: each for each in held["securities"]}
    assert known["EXMP"]["type"] == "equity"
    assert known["EXMP300118C00012500"]["option_contract"] == {
        "contract_type": "call",
        "expiration_date": "2030-01-18",
        "strike_price": Decimal("12.5"),
        "underlying_security_ticker": "EXMP",
    }
    worth = sum(Decimal(each["institution_value"]) for each in held["holdings"])
    assert worth == Decimal("1561.0325")
    ever = {"start_date": "2000-01-01", "end_date": "2100-01-01"}
    rows = api.post("/investments/transactions/get", access_token=access, **ever)
    amounts = {each["type"]: each["amount"] for each in rows["investment_transactions"]}
    assert amounts == {"buy": Decimal("904.95"), "sell": Decimal("-1.3"), "fee": Decimal("2.5")}
    owners = api.post("/identity/get", access_token=access)["accounts"][0]["owners"]
    assert owners[0]["phone_numbers"][0]["data"] == "2025550123"  # the file is silent there
    assert api.post("/accounts/get", access_token=access)["accounts"][0]["account_id"] == trading


def test_numbers_come_back_exactly(api: Any) -> None:
    text = (HERE / "fixtures" / "investor.json").read_text()
    access, _ = api.item("auth", override_username="user_custom", override_password=text)
    (told,) = api.post("/auth/get", access_token=access)["numbers"]["ach"]
    assert (told["account"], told["routing"], told["wire_routing"]) == (
        "000111222333", "021000021", "021000089",
    )  # fmt: skip


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


NONSENSE = [
    {"starting_balance": True},
    {"meta": {"mask": "longer"}},
    {"force_available_balance": 1, "has_null_available_balance": True},
    {"liability": {"type": "line_of_credit", "aprs": [1]}},
    {"liability": {"type": "student", "repayment_model": "standard"}},
    {
        "liability": {
            "type": "student",
            "origination_date": "once",
            "repayment_model": {"repayment_months": 1},
        }
    },
]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        *(json.dumps({"override_accounts": [each]}) for each in NONSENSE),
        (
            '{"override_accounts": [{"transactions": [{"date_transacted": "9999-12-31"},'
            ' {"date_posted": "0001-01-01"}]}], "roll_dates_forward": true}'
        ),
    ],
)
def test_nonsense_is_refused(api: Any, text: str) -> None:
    refused = api.post(
        "/sandbox/public_token/create",
        institution_id="ins_109508",
        initial_products=["transactions"],
        options={"override_username": "user_custom", "override_password": text},
    )
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


LOAN = {
    "type": "loan",
    "interest_rate": {"percentage": 4.75},
    "principal_balance": 8_000.5,
    "loan_term_months": 48,
    "payment_frequency": "biweekly",
    "maturity_date": "2029-01-31",
}
LINE = {
    "type": "line_of_credit",
    "finance_charges": 12.5,
    "aprs": [{"apr_type": "cash_apr", "apr_percentage": 20.5}],
    "draw_period_end_date": "2030-06-01",
}


def test_loans_and_lines_of_credit_come_back_exactly(api: Any, typed: Any) -> None:
    """Newer kinds of debt; the file says which, or the account's subtype does."""
    given = [
        {"type": "loan", "subtype": "auto", "starting_balance": 9_000, "liability": LOAN},
        {"type": "loan", "subtype": "line of credit", "starting_balance": 200.25,
         "meta": {"limit": 1_000}, "liability": LINE},
        {"type": "loan", "subtype": "construction", "starting_balance": 50},
    ]  # fmt: skip
    text = json.dumps({"override_accounts": given})
    options = {"override_username": "user_custom", "override_password": text}
    access, _ = api.item("liabilities", **options)
    debts = api.post("/liabilities/get", access_token=access)["liabilities"]
    loan, construction = debts["loan"]
    (line,) = debts["line_of_credit"]
    for told, known in ((LOAN, loan), (LINE, line)):
        for name in told.keys() - {"type", "interest_rate", "aprs"}:
            assert str(known[name]) == str(told[name])
    assert loan["interest_rate"] == {"percentage": Decimal("4.75"), "type": "fixed"}
    assert str(line["aprs"][0]["apr_percentage"]) == "20.5"
    assert (line["credit_limit"], line["available_credit"]) == (1_000, Decimal("799.75"))
    assert construction["principal_balance"] == 50
    read = typed.liabilities_get(LiabilitiesGetRequest(access_token=access)).liabilities
    assert read.loan[0].maturity_date == date(2029, 1, 31)
    assert str(read.line_of_credit[0].aprs[0].apr_type) == "cash_apr"


def test_dates_roll_forward(api: Any, bank: Any) -> None:
    """The newest activity falls on today; every other date keeps its distance, and may be ahead."""
    today = date.fromisoformat(bank.control.clock()["today"])
    paid = {"amount": 1, "description": "x", "currency": "USD"}
    text = json.dumps({
        "roll_dates_forward": True,
        "override_accounts": [
            {"type": "depository", "subtype": "checking", "transactions": [
                {**paid, "date_transacted": "2020-02-01", "date_posted": "2020-02-01"},
                {**paid, "date_transacted": "2020-03-01", "date_posted": "2020-03-04"}]},
            {"type": "loan", "subtype": "auto", "liability": {
                "type": "loan", "last_payment_date": "2020-02-29", "maturity_date": "2020-03-31"}},
        ],
    })  # fmt: skip
    options = {"override_username": "user_custom", "override_password": text}
    access, _ = api.item("transactions", "liabilities", **options)
    rows = {row["date"]: row["pending"] for row in api.pull(access)[1].values()}
    assert rows == {str(today): True, str(today - timedelta(days=29)): False}
    (loan,) = api.post("/liabilities/get", access_token=access)["liabilities"]["loan"]
    assert loan["last_payment_date"] == str(today - timedelta(days=1))
    assert loan["maturity_date"] == str(today + timedelta(days=30))


def test_a_student_loan_ends_when_it_is_repaid(api: Any) -> None:
    model = {"type": "standard", "non_repayment_months": 6, "repayment_months": 120}
    debt = {"type": "student", "origination_date": "2020-08-31", "repayment_model": model}
    given = [{"type": "loan", "subtype": "student", "liability": debt}]
    text = json.dumps({"override_accounts": given})
    options = {"override_username": "user_custom", "override_password": text}
    access, _ = api.item("liabilities", **options)
    (loan,) = api.post("/liabilities/get", access_token=access)["liabilities"]["student"]
    assert loan["expected_payoff_date"] == "2031-02-28"
