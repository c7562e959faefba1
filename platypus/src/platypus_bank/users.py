"""Plaid's users (https://plaid.com/docs/api/users/): nobody can make one here, but clients name theirs."""

import re

from platypus_bank.errors import InvalidUserId, InvalidUserToken
from platypus_bank.ids import ENVIRONMENT

_TOKEN = re.compile(rf"user-{ENVIRONMENT}-[0-9a-f-]{{36}}")
_ID_PREFIX = "usr_"


def check_user(user_id: str | None, user_token: str | None) -> None:
    """Raise InvalidUserId or InvalidUserToken for what is none; a good one is not looked up."""
    if user_id is not None and not user_id.startswith(_ID_PREFIX):
        raise InvalidUserId
    if user_token is not None and not _TOKEN.fullmatch(user_token):
        raise InvalidUserToken
