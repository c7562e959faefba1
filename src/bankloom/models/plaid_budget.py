"""Plaid budgets: how much of each of Plaid's rate limits is used up, shared by all processes.

Time is the database's own throughout, since the clocks of the machines that share it differ.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection
    from sqlalchemy.orm import Session

IDLE = timedelta(hours=1)
"""How long a row lies unused before it is swept: no call may be waiting for it to be deleted."""


LONGEST = timedelta(minutes=61)
"""Further ahead than Plaid's word can hold a limit back (an hour, and a step): such a row is from before
the database's clock was set back, and counts as regained."""


class Cost(NamedTuple):
    """What a call takes from one limit: a step more until all is regained, which slack lets pass."""

    key: str
    step_seconds: float
    slack_seconds: float
    """How far ahead of the clock `free_at` may be when a call leaves: all of a burst but one."""


class PlaidBudget(Base):
    """One limit of one endpoint, for an Item or for the whole client; `key` names both.

    `free_at` is when all that was spent will have been regained: the theoretical arrival time of
    the generic cell rate algorithm.
    """

    __tablename__ = "plaid_budgets"

    key: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime]

    @classmethod
    def spend(cls, connection: Connection, costs: Sequence[Cost]) -> float:
        """Spend all the costs of a call or none of them; return in how many seconds to ask again.

        0 means that it is spent, and that the call may leave now. The connection commits each
        statement by itself. It is one statement, and two more where a limit has no row yet.
        """
        params = _columns(costs)
        for _ in range(2):  # a row just made is not swept within the hour
            known, wait_seconds = connection.execute(_SPEND, params).one()
            if known == len(costs):
                return max(0.0, float(wait_seconds))
            connection.execute(_ADD, params)
        return max(cost.step_seconds for cost in costs)

    @classmethod
    def hold_back(cls, connection: Connection, costs: Sequence[Cost], seconds: float) -> None:
        """Let no call leave for so long; then they come one by one, not in a burst."""
        connection.execute(_HOLD_BACK, _columns(costs) | {"seconds": seconds})

    @classmethod
    def ahead_seconds(cls, session: Session, keys: Sequence[str]) -> dict[str, float]:
        """Return how far ahead of the clock `free_at` is, by key; where nothing is used up: nothing."""
        ahead = func.extract("epoch", cls.free_at - func.clock_timestamp())
        rows = session.execute(select(cls.key, ahead).where(cls.key.in_(keys)))
        return {key: float(seconds) for key, seconds in rows if seconds > 0}

    @classmethod
    def sweep(cls, session: Session, at: datetime) -> None:
        """Delete what was regained long before `at`: no row and such a row mean the same."""
        session.execute(_SWEEP, {"before": at - IDLE})


def _columns(costs: Sequence[Cost]) -> dict[str, Any]:
    return {
        "keys": [cost.key for cost in costs],
        "steps": [cost.step_seconds for cost in costs],
        "slacks": [cost.slack_seconds for cost in costs],
        "longest": LONGEST,
    }


_ASKED = """
    asked AS MATERIALIZED (
        SELECT key, step * interval '1 second' AS step, slack * interval '1 second' AS slack
        FROM unnest(
            CAST(:keys AS text[]), CAST(:steps AS float8[]), CAST(:slacks AS float8[])
        ) AS cost (key, step, slack)
    )
"""

# Rows are locked in the order of their keys, so that nobody waits in a ring, and read as of then. The
# clock is read after that: a call that waited for a lock leaves later than it came. What is written
# comes from the locked rows, never from the older ones that an UPDATE finds first.
_SPEND = text(f"""
    WITH {_ASKED}, locked AS MATERIALIZED (
        SELECT key, step, slack, CASE
            WHEN free_at > clock_timestamp() + slack + :longest THEN clock_timestamp() ELSE free_at
        END AS free_at
        FROM plaid_budgets JOIN asked USING (key) ORDER BY key FOR UPDATE OF plaid_budgets
    ), verdict AS MATERIALIZED (
        SELECT count(*) AS known, max(free_at - slack) AS allowed_at, clock_timestamp() AS seen_at
        FROM locked
    ), spent AS (
        UPDATE plaid_budgets AS budget SET free_at = greatest(locked.free_at, seen_at) + step
        FROM locked, verdict
        WHERE budget.key = locked.key AND known = cardinality(:keys) AND allowed_at <= seen_at
    )
    SELECT known, CAST(extract(epoch FROM allowed_at - seen_at) AS float8) FROM verdict
""")  # noqa: S608 - nothing but our own words

_ADD = text(f"""
    WITH {_ASKED}
    INSERT INTO plaid_budgets (key, free_at) SELECT key, clock_timestamp() FROM asked ORDER BY key
    ON CONFLICT DO NOTHING
""")  # noqa: S608 - as above

_HOLD_BACK = text(f"""
    WITH {_ASKED}
    INSERT INTO plaid_budgets AS budget (key, free_at)
    SELECT key, clock_timestamp() + :seconds * interval '1 second' + slack FROM asked ORDER BY key
    ON CONFLICT (key) DO UPDATE SET free_at = greatest(budget.free_at, excluded.free_at)
""")  # noqa: S608 - as above

_SWEEP = text("""
    DELETE FROM plaid_budgets WHERE key IN (
        SELECT key FROM plaid_budgets WHERE free_at < least(:before, now()) FOR UPDATE SKIP LOCKED
    )
""")
