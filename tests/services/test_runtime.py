"""Opening the parts of a process."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from bankloom.core.errors import DatabaseLostError
from bankloom.services.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.orm import Session

    from bankloom.core.db import Database
    from bankloom.core.settings import Settings


def test_a_database_that_dies_meanwhile_is_one_sentence(settings: Settings) -> None:
    """Whoever starts it is told to start again, and sees no traceback of a library."""

    @contextmanager
    def dies(database: Database) -> Iterator[Session]:
        with database.session() as session, database.session() as other:
            (pid,) = session.execute(text("SELECT pg_backend_pid()")).one()
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
            yield session

    with pytest.raises(DatabaseLostError, match="start again"):
        Runtime.open(settings, dies)
