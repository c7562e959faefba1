"""Which days a bank works on, and on which of them something falls due."""

from datetime import date, timedelta

_SATURDAY = 5


def is_business_day(day: date) -> bool:
    """Tell whether banks work: no weekends; holidays are not kept."""
    return day.weekday() < _SATURDAY


def business_day(day: date) -> date:
    """Return the day itself, or the Monday after a weekend."""
    return day + timedelta(days=max(0, 7 - day.weekday())) if not is_business_day(day) else day


def falls_due(day: date, day_of_month: int) -> bool:
    """Tell whether what is due on a day of the month (1 to 26) is booked on this one."""
    late = 3 if day.weekday() == 0 else 1  # on a Monday also what was due at the weekend
    return is_business_day(day) and 0 <= day.day - day_of_month < late


def month_before(day: date) -> tuple[date, date]:
    """Return the first and the last day of the month before a day's."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def last_business_day(day: date) -> date:
    """Return the day itself, or the Friday before a weekend."""
    return day - timedelta(days=max(0, day.weekday() - 4))
