"""Forgets, once an hour, what has served its time: deliveries, Link sessions, keys, sign-ins, budgets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from bankloom.core import clock
from bankloom.models import ApiKey, Chore, LinkSession, PlaidBudget, WebhookDelivery
from bankloom.services import console_access

if TYPE_CHECKING:
    from datetime import datetime

    from bankloom.services.runtime import Runtime

CHORE = "prune"
EVERY = timedelta(hours=1)
ROUNDS_MAX = 20
"""Rounds of a bounded number of rows, a commit each: what is left after them goes an hour later."""


def now(runtime: Runtime) -> None:
    """Forget, if it is due; of several workers one does it."""
    at = clock.now()
    with runtime.database.session() as session:
        if not Chore.claim(session, CHORE, at, EVERY):
            return
        PlaidBudget.sweep(session, at)
    before = at - timedelta(days=runtime.settings.retention_days)
    with runtime.database.session() as session:
        LinkSession.forget_old(session, before)
        ApiKey.forget_minted(session, before)
        console_access.forget_old(session, at)
    _forget_deliveries(runtime, before)


def _forget_deliveries(runtime: Runtime, before: datetime) -> None:
    for _ in range(ROUNDS_MAX):
        with runtime.database.session() as session:
            if not WebhookDelivery.forget_old(session, before):
                return
