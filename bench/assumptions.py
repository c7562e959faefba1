"""What the simulation assumes because nobody here can measure it, each with its source."""

from __future__ import annotations

from typing import NamedTuple


class Assumption(NamedTuple):
    """A number that is believed, what it is of, and why it is believed."""

    value: float
    what: str
    source: str


UPDATES_A_DAY = Assumption(
    4,
    "times a day that Plaid finds something new for an Item",
    "the most: Plaid checks one to four times a day (`/transactions/sync` in its OpenAPI file), "
    "and not every check finds something",
)
WEBHOOKS_AN_UPDATE = Assumption(
    3,
    "webhooks that tell of one update, the older codes among them",
    "two or three were seen: github.com/monetr/monetr/issues/1810",
)
WEBHOOKS_WITHIN_SECONDS = Assumption(
    2, "seconds within which they come", "a guess: Plaid does not say"
)
BUSIEST_HOUR = Assumption(
    3, "times the mean: the updates of the busiest hour", "a guess: banks post at night"
)
PLAID_SECONDS = Assumption(
    0.3, "median seconds of a call to Plaid; one in a hundred takes 1.2 s", "a guess"
)
TRANSACTIONS_A_DAY = Assumption(
    2,
    "transactions of an Item a day",
    "a person in the US makes 48 payments a month, of all accounts (Diary of Consumer Payment "
    "Choice 2024, atlantafed.org); incomes and transfers come on top",
)
ACCOUNTS = Assumption(3, "accounts of an Item", "a guess")
DATABASE_CORES = Assumption(
    8, "cores of the server that PostgreSQL runs on, each like one of here", "a choice"
)
SERVER_COMMIT_SECONDS = Assumption(
    0.005, "seconds of a commit on a server elsewhere whose standby confirms it", "a guess"
)

PLAID_SECONDS_SPREAD = 0.6
"""Sigma of the lognormal distribution of the calls' times."""

ALL = (
    UPDATES_A_DAY,
    WEBHOOKS_AN_UPDATE,
    WEBHOOKS_WITHIN_SECONDS,
    BUSIEST_HOUR,
    PLAID_SECONDS,
    TRANSACTIONS_A_DAY,
    ACCOUNTS,
    DATABASE_CORES,
    SERVER_COMMIT_SECONDS,
)
