"""Who can log in at the Sandbox's banks, and what they own.

https://plaid.com/docs/sandbox/test-credentials/
"""

from datetime import date
from random import Random
from typing import NamedTuple

from platypus_bank.errors import InvalidCredentials
from platypus_bank.forced_error import ForcedError
from platypus_bank.living.household import accounts as living_accounts
from platypus_bank.living.person import is_living, person
from platypus_bank.seeds import custom, dynamic, user_good
from platypus_bank.seeds.blueprint import Account

GOOD = "user_good"
CUSTOM = "user_custom"
DYNAMIC = "user_transactions_dynamic"
GOOD_PASSWORD = "pass_good"  # noqa: S105 - Plaid's documented test password
_ERROR_PREFIX = "error_"
_MFA_PREFIX = "mfa_"


class Seeds(NamedTuple):
    """What chance is made from: of the world, for people; of the Item, for the dynamic user."""

    world: int
    item: str


def log_in(username: str, password: str, today: date, seeds: Seeds) -> list[Account]:
    """Return what a person owns as of `today`.

    Raises InvalidCredentials, or ForcedError for the documented `error_<CODE>` passwords.
    """
    if username == CUSTOM:
        return custom.accounts(password, today)
    if username == DYNAMIC and password.strip():
        return dynamic.accounts(today, Random(seeds.item))  # noqa: S311 - reproducible, not secret
    check_password(username, password)
    if is_living(username):
        return living_accounts(person(seeds.world, username), today)
    return user_good.accounts(today)


def check_password(username: str, password: str) -> None:
    """Raise what Link would say to a returning person with a wrong password."""
    if username in (CUSTOM, DYNAMIC) and password.strip():
        return
    if password.startswith(_ERROR_PREFIX):
        raise ForcedError(password.removeprefix(_ERROR_PREFIX))
    if password.startswith("{"):
        custom.check(password)
    elif password != GOOD_PASSWORD and not password.startswith(_MFA_PREFIX):
        raise InvalidCredentials
    if not username:
        raise InvalidCredentials
