"""What `user_good` holds: the example securities of Plaid's OpenAPI file, and two more of the Sandbox.

Holdings are as public dumps of the Sandbox have them (2020 to 2026); they add up to the balances of
the two accounts. The trades are the example's three of /investments/transactions/get; that they
come again every 30 days is ours.
"""

from datetime import date, timedelta
from decimal import Decimal

from platypus_bank.seeds.portfolio import Holding, Portfolio, Security, Trade, option_contract

HISTORY_DAYS = 730
_EVERY_DAYS = 30
_PRICED_ON = date(2021, 4, 13)

DOLLAR = Security(
    name="U S Dollar", type="cash", subtype="cash", close_price=1, is_cash_equivalent=True
)
_OPTION = Security(
    name="Nflx Feb 01'18 $355 Call",
    ticker_symbol="NFLX180201C00355000",
    type="derivative",
    subtype="option",
    close_price=Decimal("0.011"),
    market_identifier_code="XNAS",
    sector="Technology Services",
    industry="Internet Software or Services",
    cfi_code="OCASPS",
    option_contract=option_contract("NFLX180201C00355000"),
)
_BRAZIL = Security(
    name="iShares Inc MSCI Brazil",
    ticker_symbol="EWZ",
    type="etf",
    subtype="etf",
    close_price=Decimal("42.15"),
    cfi_code="CEOIES",
)
_TIGER = Security(
    name="Matthews Pacific Tiger Fund Insti Class",
    ticker_symbol="MIPTX",
    type="mutual fund",
    subtype="mutual fund",
    close_price=27,
    cusip="577130834",
    isin="US5771308344",
    market_identifier_code="XNAS",
    sector="Miscellaneous",
    industry="Investment Trusts or Mutual Funds",
    cfi_code="CIOGES",
)
_ACHILLION = Security(
    name="Achillion Pharmaceuticals Inc.",
    ticker_symbol="ACHN",
    subtype="common stock",
    close_price=Decimal("2.11"),
    cusip="00448Q201",
    isin="US00448Q2012",
    market_identifier_code="XNAS",
    sector="Health Technology",
    industry="Major Pharmaceuticals",
    cfi_code="ESVUFR",
)
_BONDS = Security(
    name="DoubleLine Total Return Bond Fund",
    ticker_symbol="DBLTX",
    type="mutual fund",
    subtype="mutual fund",
    close_price=Decimal("10.42"),
    cusip="258620103",
    isin="US2586201038",
    market_identifier_code="XNAS",
    cfi_code="CIOIBS",
)
_INDEX = Security(
    name="NH PORTFOLIO 1055 (FIDELITY INDEX)",
    ticker_symbol="NHX105509",
    type="etf",
    subtype="etf",
    close_price=Decimal("13.73"),
    institution_security_id="NHX105509",
    market_identifier_code="XNAS",
)
_INTERNATIONAL = Security(
    name="Cambiar International Equity Institutional",
    ticker_symbol="CAMYX",
    type="mutual fund",
    subtype="mutual fund",
    close_price=Decimal("24.5"),
)
_SOUTHSIDE = Security(
    name="Southside Bancshares Inc.",
    ticker_symbol="SBSI",
    subtype="common stock",
    close_price=Decimal("34.73"),
    cusip="84470P109",
    isin="US84470P1093",
    market_identifier_code="XNAS",
    sector="Finance",
    industry="Regional Banks",
    cfi_code="ESVUFR",
)


def portfolios(today: date) -> dict[str, Portfolio]:
    """Return the portfolios by mask: of the IRA, and of the 401k with two years of trades."""
    return {
        "5555": Portfolio(
            holdings=[
                _holding(DOLLAR, "0.01", "1", "0.01"),
                _holding(_OPTION, "10000", "0.011", "0.01"),
                _holding(_BRAZIL, "5", "42.15", "40"),
            ]
        ),
        "6666": Portfolio(
            holdings=[
                _holding(DOLLAR, "12345.67", "1", "1"),
                _holding(_ACHILLION, "1", "2.11", "1.5"),
                _holding(_BONDS, "2", "10.42", "10"),
                _holding(_TIGER, "23.567", "27", "23"),
                _holding(_INDEX, "100.05", "13.73", "15"),
                _holding(_INTERNATIONAL, "75.75", "24.5", "22"),
                _holding(_SOUTHSIDE, "213", "34.73", "30"),
            ],
            trades=_trades(today),
        ),
    }


def _holding(security: Security, quantity: str, price: str, cost_basis: str) -> Holding:
    return Holding(
        security=security,
        quantity=Decimal(quantity),
        price=Decimal(price),
        priced_on=_PRICED_ON,
        cost_basis=Decimal(cost_basis),
    )


def _trades(today: date) -> list[Trade]:
    return [
        trade
        for days_ago in range(2, HISTORY_DAYS, _EVERY_DAYS)
        for trade in _three(today - timedelta(days=days_ago))
    ]


def _three(day: date) -> list[Trade]:
    return [
        Trade(
            day=day,
            name="INCOME DIV DIVIDEND RECEIVED",
            type="cash",
            subtype="dividend",
            quantity=0,
            price=0,
            amount=Decimal("-8.72"),
            fees=0,
            security=_SOUTHSIDE,
        ),
        Trade(
            day=day - timedelta(days=1),
            name="SELL Matthews Pacific Tiger Fund Insti Class",
            type="sell",
            subtype="sell",
            quantity=Decimal("-47.74104242992852"),
            price=Decimal("27.53"),
            amount=Decimal("-1289.01"),
            fees=Decimal("7.99"),
            security=_TIGER,
        ),
        Trade(
            day=day - timedelta(days=2),
            name="BUY DoubleLine Total Return Bond Fund",
            type="buy",
            subtype="buy",
            quantity=Decimal("0.7388014749727547"),
            price=Decimal("10.42"),
            amount=Decimal("7.7"),
            fees=Decimal("7.99"),
            security=_BONDS,
        ),
    ]
