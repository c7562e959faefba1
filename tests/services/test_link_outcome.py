"""When Plaid is asked again about a Link session: soon for the quick, seldom for the slow."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bankloom.core import clock
from bankloom.models import LinkSession
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services import link_outcome


@pytest.mark.parametrize(
    ("age_seconds", "wait_seconds"),
    [(0, 5), (5, 5), (50, 5), (120, 12), (600, 60), (3000, 300), (86_400, 300)],
)
def test_the_wait_grows_with_the_session(age_seconds: int, wait_seconds: int) -> None:
    """A tenth of the session's age, 5 seconds at least and 5 minutes at most."""
    at = clock.now()
    link = LinkSession(created_at=at - timedelta(seconds=age_seconds))
    assert link_outcome.wait(link, at) == timedelta(seconds=wait_seconds)


def test_a_day_is_a_bounded_number_of_polls() -> None:
    """A hosted URL that nobody opens costs some hundred calls, and no public token dies unseen."""
    made = at = clock.now()
    link, polls = LinkSession(created_at=made), 0
    while at - made < timedelta(days=1):
        at += link_outcome.wait(link, at)
        polls += 1
    assert polls < 350
    assert 5 * link_outcome.LONGEST_WAIT < PUBLIC_TOKEN_LIFETIME
