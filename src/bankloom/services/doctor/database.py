"""What the doctor sees in the database: server, schema, keys, clock, worker, and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from bankloom.core import clock
from bankloom.models import ClaimState, ExchangeClaim, Item, User
from bankloom.services import jobs
from bankloom.services.doctor.findings import Finding, failure, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from bankloom.core.db import Database
    from bankloom.services.runtime import Runtime
    from bankloom.services.second_wall import Wall

SKEW_SECONDS = 5.0
"""Leases and due times are written by one machine's clock and read by another's."""


def look(runtime: Runtime) -> Iterator[Finding]:
    """Look at an opened database, whose schema is current and whose tokens the keyring opens."""
    yield _server(runtime.database)
    yield _second_wall(runtime.wall)
    with runtime.database.session() as session:
        yield _holdings(session)
        yield _clock(session)
        yield _worker(session, runtime.settings.worker_silent_seconds)
        yield from _orphans(session)


def _server(database: Database) -> Finding:
    with database.engine.connect() as connection:
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
    where = "embedded" if database.embedded else "of BANKLOOM_DATABASE_URL"
    return ok("database", f"PostgreSQL {version}, {where}; its schema is current")


def _second_wall(wall: Wall) -> Finding:
    if wall.is_standing:
        return ok("second wall", f"{wall.role} confines a user's key to that user's rows")
    statements = " ".join(f"{each};" for each in wall.statements)
    return warning(
        "second wall",
        f"It is missing: only queries confine a user's key, not the database too. {wall.problem}",
        "Start the service again, which builds it where it may; or let an administrator of the "
        f"database run this first: {statements}",
    )


def _holdings(session: Session) -> Finding:
    people, items = (
        session.execute(select(func.count()).select_from(table)).scalar_one()
        for table in (User, Item)
    )
    return ok("database", f"{items} Items of {people} people; the keyring opens what was tried")


def _clock(session: Session) -> Finding:
    theirs = session.execute(select(func.clock_timestamp())).scalar_one()
    apart = abs((theirs - clock.now()).total_seconds())
    seen = f"The database's clock and this machine's are {apart:.1f} s apart"
    if apart > SKEW_SECONDS:
        return failure("clock", seen, "Set both by a time server (NTP).")
    return ok("clock", seen)


def _worker(session: Session, silent_seconds: float) -> Finding:
    if jobs.a_worker_lives(session, silent_seconds):
        return ok("engine", "A worker lives and takes jobs")
    return warning(
        "engine", "No worker lives: nothing syncs", "Run `bankloom serve` or `bankloom worker`."
    )


def _orphans(session: Session) -> Iterator[Finding]:
    lost = select(func.count()).where(ExchangeClaim.state == ClaimState.POSSIBLE_ORPHAN)
    if count := session.execute(lost).scalar_one():
        yield warning(
            "Items",
            f"{count} Items may be at Plaid whose access token was lost on its way here",
            "Look for Items without an owner in the Plaid Dashboard, and remove them there.",
        )
