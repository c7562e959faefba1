"""The second wall."""

from __future__ import annotations
from typing import TYPE_CHECKING
from bankloom.models import User, Item
from sqlalchemy import select

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime


def test_it_stands(parts: Runtime) -> None:
    with parts.database.session() as session:
        ada = User.get_or_create(session, "ada").id
        User.get_or_create(session, "grace")
    assert parts.wall.problem is None
    theirs = parts.confined_to(ada, "x")
    with theirs.database.session() as session:
        assert [u.name for u in session.scalars(select(User))] == ["ada"]
        assert User.get_or_create(session, "ada").id == ada
