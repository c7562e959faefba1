"""Institutions: the banks, as `/institutions/get_by_id` describes them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


class Institution(Base):
    """A bank. `payload` is Plaid's own answer, as received."""

    __tablename__ = "institutions"

    institution_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    url: Mapped[str | None]
    primary_color: Mapped[str | None]
    payload: Mapped[bytes | None]
    updated_at: Mapped[datetime | None]

    @classmethod
    def put(cls, session: Session, institution: Institution) -> None:
        """Insert or replace the institution."""
        values = {
            "name": institution.name,
            "url": institution.url,
            "primary_color": institution.primary_color,
            "payload": institution.payload,
            "updated_at": institution.updated_at,
        }
        session.execute(
            insert(cls)
            .values(institution_id=institution.institution_id, **values)
            .on_conflict_do_update(index_elements=[cls.institution_id], set_=values)
        )

    @classmethod
    def names(cls, session: Session, ids: set[str | None]) -> dict[str | None, str]:
        """Return the names of these institutions."""
        rows = session.execute(
            select(cls.institution_id, cls.name).where(cls.institution_id.in_(ids - {None}))
        )
        return {row.institution_id: row.name for row in rows}

    @classmethod
    def note_name(cls, session: Session, institution_id: str, name: str) -> None:
        """Insert the name that Link gave, unless the institution is known already."""
        session.execute(
            insert(cls).values(institution_id=institution_id, name=name).on_conflict_do_nothing()
        )
