"""What every service works with: settings, database, keyring and Plaid, opened once a process."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Self

from sqlalchemy.exc import InterfaceError, OperationalError

from bankloom.core import structs
from bankloom.core.counting import Counts
from bankloom.core.db import Database
from bankloom.core.errors import DatabaseLostError, WorldMismatchError
from bankloom.models import Item
from bankloom.services import counted, rate_limits, second_wall
from bankloom.services.keyrings.open_keyring import open_keyring
from bankloom.services.plaid_budget import Budget
from bankloom.services.plaid_client import PlaidClient
from bankloom.services.plaid_gate import observed

if TYPE_CHECKING:
    import uuid
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy.orm import Session

    from bankloom.core.keyring import Keyring
    from bankloom.core.settings import Settings
    from bankloom.models import World
    from bankloom.services.second_wall import Wall

_LOST = "The database went away while it was being opened. Look at it, and start again."


@dataclass(frozen=True)
class Runtime:
    """The opened parts of one process. `actor` is who acts through them, for the audit log.

    `user_id` is whom all work through them is confined to, by the second wall if it stands; None for
    the service itself.
    """

    settings: Settings
    database: Database
    keyring: Keyring
    plaid: PlaidClient
    budget: Budget
    counts: Counts
    wall: Wall
    actor: str = "service"
    user_id: uuid.UUID | None = None

    @classmethod
    def open(
        cls,
        settings: Settings,
        prepare: Callable[[Database], AbstractContextManager[Session]] = Database.session,
        second: Callable[[Database, Keyring], Wall] = second_wall.build,
    ) -> Self:
        """Open everything that the settings name.

        `prepare` brings the database up to date, and commits that once nothing here refuses it;
        `second` builds the second wall, or only looks at it.
        Errors: `ConfigurationError`; `WorldMismatchError`; `DatabaseLostError`.
        """
        structs.make_ready()  # here, for threads come later
        limits = rate_limits.read(settings.rate_limits, settings.plaid.env)
        counts = Counts()
        database = Database.open(settings)
        try:
            budget = Budget(database, limits)
            count_call = partial(counted.plaid_called, counts)
            plaid = PlaidClient(settings.plaid, observed(budget, count_call))
            with prepare(database) as session:
                keyring = open_keyring(settings, session)
                refuse_other_worlds(session, plaid.world)
            wall = second(database, keyring)
        except BaseException as error:
            database.close()
            if isinstance(error, OperationalError | InterfaceError):
                raise DatabaseLostError(_LOST) from error
            raise
        return cls(settings, database, keyring, plaid, budget, counts, wall)

    def acting_for(self, actor: str) -> Runtime:
        """Return the same parts, for somebody who acts through them."""
        return replace(self, actor=actor)

    def confined_to(self, user_id: uuid.UUID, actor: str) -> Runtime:
        """Return the same parts for one user: the database shows and takes nothing of another's."""
        pool = self.wall.pool
        database = self.database.through(pool.begin_for(user_id)) if pool else self.database
        return replace(self, database=database, actor=actor, user_id=user_id)

    def as_service(self) -> Runtime:
        """Return the same parts, confined to nobody: for the one thing that a confined role can't do.

        That is to erase an Item, with its jobs and all that is staged of it. Whose it is, is asked
        before.
        """
        return replace(self, database=self.database.whole, user_id=None)

    def close(self) -> None:
        """Give everything back."""
        self.plaid.close()
        if self.wall.pool is not None:
            self.wall.pool.close()
        self.database.close()


def refuse_other_worlds(session: Session, configured: World) -> None:
    """Refuse to start over Items of another world. Errors: `WorldMismatchError`, naming both."""
    for world in Item.worlds(session):
        refuse_other_world(world, configured)


def refuse_other_world(stored: World, configured: World) -> None:
    """Keep the tokens of one world out of another. Errors: `WorldMismatchError`, naming both."""
    if stored != configured:
        raise WorldMismatchError(
            f"This database holds Items of {stored}, but the settings name {configured}. Point "
            "PLAID_ENV, PLAID_BASE_URL and PLAID_CLIENT_ID back to the former, or use another "
            "database or BANKLOOM_DATA_DIR for the latter. Nothing was changed."
        )
