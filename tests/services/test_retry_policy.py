"""When to try again: bounded, spread, and never at once."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as some

from bankloom.services import retry_policy
from bankloom.services.plaid_errors import Remedy

BACKED_OFF = [
    Remedy.RETRY,
    Remedy.RESTART_LOOP,
    Remedy.REBUILD,
    Remedy.REREAD_ACCOUNTS,
    Remedy.NOT_READY,
]
CLOSED = [Remedy.RELINK, Remedy.CONSENT_NEEDED, Remedy.NOT_SUPPORTED, Remedy.PERMANENT]
failures = some.integers(min_value=0, max_value=10**9)


@given(some.sampled_from(BACKED_OFF), failures)
def test_backoff_has_a_floor_and_a_cap(remedy: Remedy, count: int) -> None:
    """However long it fails, the wait stays between seconds and a working day's half."""
    wait = retry_policy.after_failure(remedy, count)
    assert wait is not None
    assert timedelta(seconds=20) < wait < timedelta(hours=8)


@given(failures)
def test_backoff_grows_until_the_cap(count: int) -> None:
    """Before the cap each failure doubles the wait, whatever the jitter."""
    wait = retry_policy.after_failure(Remedy.RETRY, count)
    assert wait is not None
    ceiling = min(6 * 3600, 30 * 2 ** min(count, 40))
    assert 0.75 * ceiling <= wait.total_seconds() <= 1.25 * ceiling


@given(some.sampled_from(CLOSED), failures)
def test_what_waiting_cannot_mend_is_not_tried_again(remedy: Remedy, count: int) -> None:
    """Only a trigger makes such a product due."""
    assert retry_policy.after_failure(remedy, count) is None


@given(failures)
def test_an_item_cools_down_for_minutes(count: int) -> None:
    """Plaid counts by the minute: the first rest is about one, and none is much over an hour."""
    wait = retry_policy.while_cooling(count)
    assert timedelta(seconds=45) <= wait <= timedelta(hours=1.25)


def test_the_ladder_while_plaid_still_fetches() -> None:
    """2, 5, 15 and 60 seconds, then every ten minutes."""
    seconds = [retry_policy.until_complete(tries).total_seconds() for tries in range(7)]
    assert seconds == [2, 5, 15, 60, 600, 600, 600]


def test_every_remedy_has_an_answer() -> None:
    """No remedy is forgotten: each is backed off, or closed."""
    assert {*BACKED_OFF, *CLOSED} == set(Remedy)
