"""Everything that a day brings a person: purchases, wages, bills, transfers, payments of debts."""

from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache

from platypus_bank.clock import day_of, midnight
from platypus_bank.living import debts
from platypus_bank.living.bank_days import (
    falls_due,
    is_business_day,
    last_business_day,
    month_before,
)
from platypus_bank.living.habits import BILLS, Bill
from platypus_bank.living.movements import LOOK_BACK_DAYS, Category, Movement, each_day
from platypus_bank.living.person import PACKED_DAYS, Person, Role, days_into_trip
from platypus_bank.living.purchases import purchases

_BOOKED_AT = 7 * 3600
_FRIDAY = 4
_SAVE_ON, _INVEST_ON = 2, 3
_EUROS = 100_000  # cents that go along on a trip
_RATE = 110  # dollar cents for a euro, always


@lru_cache(maxsize=16_384)
def of_day(who: Person, day: date) -> tuple[Movement, ...]:
    """Return all movements that begin on a day, whatever becomes of them later."""
    return (*purchases(who, day), *_regular(who, day))


def around(who: Person, since: float, until: float) -> Iterator[Movement]:
    """Yield every movement that may change between two instants."""
    for day in each_day(day_of(since) - timedelta(days=LOOK_BACK_DAYS), day_of(until)):
        yield from of_day(who, day)


def _regular(who: Person, day: date) -> Iterator[Movement]:
    yield from _wages(who, day)
    if is_business_day(day):
        yield from _bills(who, day)
        yield from _savings(who, day)
        yield from _debts(who, day)
    yield from _exchange(who, day)


def _booked(  # noqa: PLR0913, PLR0917 - one line of a statement
    day: date,
    name: str,
    account: Role,
    cents: int,
    label: str,
    category: Category,
    merchant: str | None = None,
) -> Movement:
    moment = midnight(day) + _BOOKED_AT
    return Movement(
        key=f"{day}/{name}", account=account, cents=cents, label=label, category=category,
        merchant=merchant, shown_at=moment, posted_at=moment,
    )  # fmt: skip


def _wages(who: Person, day: date) -> Iterator[Movement]:
    if day.weekday() == _FRIDAY and (day.toordinal() // 7 % 2 == 1) == who.paid_in_odd_weeks:
        label = f"{who.employer} PAYROLL PPD ID: 9110001"
        yield _booked(day, "wages", "checking", -who.wage, label, ("INCOME", "WAGES"))


def _bills(who: Person, day: date) -> Iterator[Movement]:
    for bill in BILLS:
        if falls_due(day, bill.day + who.bill_shift):
            cents = _sum_of(who, day, bill)
            yield _booked(
                day, bill.label, bill.account, cents, bill.label, bill.category, bill.merchant
            )


def _sum_of(who: Person, day: date, bill: Bill) -> int:
    return round(bill.cents * (1 + bill.wobble * (who.dice(day, bill.label).random() - 0.5)))


def _savings(who: Person, day: date) -> Iterator[Movement]:
    if falls_due(day, _SAVE_ON):
        yield _booked(day, "save", "checking", who.saved, "TRANSFER TO SAV ...1111", _OUT_TO)
        yield _booked(day, "saved", "savings", -who.saved, "TRANSFER FROM CHK ...0000", _IN_FROM)
    if falls_due(day, _INVEST_ON):
        yield _booked(day, "invest", "checking", who.invested, "PLATYPUS BROKERAGE ACH", _INVESTED)
    if day == last_business_day(month_before(day.replace(day=28) + timedelta(days=7))[1]):
        cents = max(1, who.saved * (who.bill_shift + 9) // 400)
        yield _booked(
            day, "interest", "savings", -cents, "INTRST PYMNT", ("INCOME", "INTEREST_EARNED")
        )


def _debts(who: Person, day: date) -> Iterator[Movement]:
    if falls_due(day, 1):
        yield _home(who, day)
    if not who.owns_home and falls_due(day, debts.STUDENT_DAY):
        cents = debts.student_payment(who)
        label = "DEPT OF ED STUDENT LN"
        yield _booked(day, "student", "checking", cents, label, _STUDENT, "Dept of Ed")
        yield _booked(day, "received", "student", -cents, "PAYMENT RECEIVED", _STUDENT)
    if falls_due(day, debts.CARD_DAY):
        cents = statement(who, *month_before(day))
        if cents > 0:
            yield _booked(day, "pay card", "checking", cents, "CREDIT CARD 3333 PAYMENT", _CARD)
            yield _booked(day, "card paid", "card", -cents, "AUTOMATIC PAYMENT - THANK YOU", _CARD)


def _home(who: Person, day: date) -> Movement:
    if who.owns_home:
        return _booked(day, "home", "checking", who.home_cost, "FIRST PLATYPUS MORTGAGE", _MORTGAGE)
    return _booked(day, "home", "checking", who.home_cost, "QUARRY HOLDINGS RENT", _RENT)


def _exchange(who: Person, day: date) -> Iterator[Movement]:
    if days_into_trip(who, day) == -PACKED_DAYS:
        cents = _EUROS * _RATE // 100
        yield _booked(day, "to euros", "checking", cents, "FX TRANSFER TO EUR ...7070", _OUT_TO)
        yield _booked(day, "euros", "euro", -_EUROS, "FX TRANSFER FROM USD", _IN_FROM)


@lru_cache(maxsize=4096)
def statement(who: Person, first: date, last: date) -> int:
    """Return what a month put on the card, in cents."""
    bought = (
        each
        for day in each_day(first, last)
        for each in purchases(who, day)
        if each.account == "card" and each.posted_at is not None and each.gone_at is None
    )
    bills = sum(each.cents for each in BILLS if each.account == "card")
    return sum(each.cents for each in bought) + bills


_OUT_TO: Category = ("TRANSFER_OUT", "ACCOUNT_TRANSFER")
_IN_FROM: Category = ("TRANSFER_IN", "ACCOUNT_TRANSFER")
_INVESTED: Category = ("TRANSFER_OUT", "INVESTMENT_AND_RETIREMENT_FUNDS")
_CARD: Category = ("LOAN_PAYMENTS", "CREDIT_CARD_PAYMENT")
_STUDENT: Category = ("LOAN_PAYMENTS", "STUDENT_LOAN_PAYMENT")
_MORTGAGE: Category = ("LOAN_PAYMENTS", "MORTGAGE_PAYMENT")
_RENT: Category = ("RENT_AND_UTILITIES", "RENT")
