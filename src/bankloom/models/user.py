"""The people whose banks are linked, under the name that the calling app gave them."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, OurId

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session


class User(Base):
    """A person. `name` is the app's own `user_id`; `id` is what Plaid knows them by.

    Plaid refuses a `client_user_id` that looks like an e-mail address or a phone number (spec
    `LinkTokenCreateRequestUser`), and the app's id may be one: hence an opaque id of our own.
    """

    __tablename__ = "users"

    id: Mapped[OurId]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[CreatedAt]

    @classmethod
    def get_or_create(cls, session: Session, name: str) -> User:
        """Return the user of that name, made if need be; until this commit nobody forgets them.

        A user who is there is locked; whoever is not is made in one statement that locks the row, for
        between two a refused call could delete the user. A confined session may do the former only.
        """
        named = select(cls).where(cls.name == name).with_for_update(key_share=True)
        if known := session.scalars(named).one_or_none():
            return known
        kept = (
            insert(cls)
            .values(name=name)
            .on_conflict_do_update(index_elements=[cls.name], set_={"created_at": cls.created_at})
        )
        return session.scalars(kept.returning(cls)).one()

    @classmethod
    def find(cls, session: Session, name: str) -> User | None:
        """Return the user of that name, or None."""
        return session.execute(select(cls).where(cls.name == name)).scalar_one_or_none()

    @classmethod
    def forget_if_unused(cls, session: Session, user_id: uuid.UUID) -> None:
        """Delete a user whom nothing refers to: a call that was refused leaves nothing behind.

        In a commit of its own: whoever refers to users locks them first, and then other rows.
        """
        connection = session.connection()
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(
                delete(cls).where(cls.id == user_id)
            )  # refused if anything is theirs

    @classmethod
    def delete(cls, session: Session, user_id: uuid.UUID) -> int:
        """Delete the user; return how many that were. Errors: `IntegrityError` if anything is theirs."""
        gone = session.execute(delete(cls).where(cls.id == user_id).returning(cls.id))
        return len(gone.all())

    @classmethod
    def more_than_one(cls, session: Session) -> bool:
        """Say whether a second user exists; reads two rows at most."""
        some = select(cls.id).limit(2).subquery()
        return session.execute(select(func.count()).select_from(some)).scalar_one() > 1
