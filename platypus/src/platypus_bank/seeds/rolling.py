"""roll_dates_forward of custom users: a file that is never out of date.

The newest activity falls on the day of linking, and every other date keeps its distance from it.
UserCustomPassword of plaid-python 46; our copy of the OpenAPI file is older.
"""

from datetime import date, timedelta
from typing import Any

_ACTIVITY = {
    "date_transacted", "date", "institution_price_as_of", "last_payment_date",
    "last_statement_issue_date",
}  # fmt: skip
_OTHERS = {
    "date_posted", "origination_date", "maturity_date", "next_payment_due_date",
    "expected_payoff_date", "draw_period_end_date", "end_date", "estimated_eligibility_date",
}  # fmt: skip


def rolled(accounts: object, today: date) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Return the override_accounts with their dates moved to end `today`.

    Raises ValueError for a date that is none.
    """
    newest = max(_activity(accounts), default=today)
    return _moved(accounts, today - newest)


def _activity(value: object) -> list[date]:
    if isinstance(value, list):
        return [day for each in value for day in _activity(each)]
    if not isinstance(value, dict):
        return []
    own = [value[name] for name in _ACTIVITY & value.keys() if isinstance(value[name], str)]
    below = [day for each in value.values() for day in _activity(each)]
    return [date.fromisoformat(each) for each in own] + below


def _moved(value: Any, by: timedelta) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, list):
        return [_moved(each, by) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: _moved_field(name, each, by) for name, each in value.items()}


def _moved_field(name: str, value: Any, by: timedelta) -> Any:  # noqa: ANN401 - as above
    if name in _ACTIVITY | _OTHERS and isinstance(value, str):
        return (date.fromisoformat(value) + by).isoformat()
    return _moved(value, by)
