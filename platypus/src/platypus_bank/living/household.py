"""A person's accounts as the bank has them on a day, before they get ids."""

from datetime import date

from platypus_bank.living import debts, investing
from platypus_bank.living.bank_days import month_before
from platypus_bank.living.days import statement
from platypus_bank.living.person import Person
from platypus_bank.money import money
from platypus_bank.seeds.blueprint import Account


def accounts(who: Person, today: date) -> list[Account]:
    """Return all accounts with what they are worth and owe.

    Their transactions come as time goes by, what the broker holds when somebody asks.
    """
    found = [_checking(who), _savings(who), _euro(who), *changing(who, today)]
    for account in found:
        account.owners = [who.owner()]
    return found


def changing(who: Person, today: date) -> list[Account]:
    """Return the accounts of which each day tells anew what they are worth, or what is owed."""
    debt = _mortgage(who, today) if who.owns_home else _student(who, today)
    return [_card(who, today), _brokerage(who, today), debt]


def _checking(who: Person) -> Account:
    cents = who.monthly + who.bill_shift * 21_317
    return Account(
        role="checking", name="Platypus Everyday Checking", official_name=None, mask="0000",
        type="depository", subtype="checking", current=money(cents), available=money(cents),
    )  # fmt: skip


def _savings(who: Person) -> Account:
    cents = who.saved * 14 + 7_042
    return Account(
        role="savings", name="Platypus Rainy Day Savings", official_name=None, mask="1111",
        type="depository", subtype="savings", current=money(cents), available=money(cents),
    )  # fmt: skip


def _card(who: Person, today: date) -> Account:
    owed = statement(who, *month_before(today))
    paid = statement(who, *month_before(debts.card_paid_on(today)))
    return Account(
        role="card", name="Platypus Webfoot Card", official_name="Platypus Webfoot Rewards Card",
        mask="3333", type="credit", subtype="credit card", current=money(owed),
        available=money(debts.CARD_LIMIT - owed), limit=money(debts.CARD_LIMIT),
        liability=debts.card_liability(owed, paid, today),
    )  # fmt: skip


def _euro(who: Person) -> Account:
    cents = 120_000 + who.bill_shift * 3_300
    return Account(
        role="euro", name="Platypus Travel Euro", official_name=None, mask="7070",
        type="depository", subtype="cash management", current=money(cents), available=money(cents),
        currency="EUR",
    )  # fmt: skip


def _brokerage(who: Person, today: date) -> Account:
    worth = investing.state(who, today).value(today)
    return Account(
        role="brokerage", name="Platypus Brokerage", official_name=None, mask="5151",
        type="investment", subtype="brokerage", current=money(worth), available=None,
    )  # fmt: skip


def _mortgage(who: Person, today: date) -> Account:
    return Account(
        role="mortgage", name="Platypus Home Loan", official_name=None, mask="8888",
        type="loan", subtype="mortgage", current=money(debts.mortgage(who, today).owed),
        available=None, liability=debts.mortgage_liability(who, today),
    )  # fmt: skip


def _student(who: Person, today: date) -> Account:
    return Account(
        role="student", name="Platypus Student Loan", official_name=None, mask="7777",
        type="loan", subtype="student", current=money(debts.student(who, today).owed),
        available=None, liability=debts.student_liability(who, today),
    )  # fmt: skip
