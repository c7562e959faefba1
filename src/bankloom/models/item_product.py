"""Product tags: one (Item, Product) each, with a state and the time when it is due."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, select, text, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base, CreatedAt, one_of
from bankloom.models.item import Item

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Session


_LOCK_SEED = 1
"""Keeps the keys of these advisory locks apart from those that anything else might take."""


class ProductState(enum.StrEnum):
    """How far a product of an Item has come.

    `failing` is tried again by itself, or once the person has logged in; `needs you` is not.
    """

    REQUESTED = "requested"
    SYNCING = "syncing"
    READY = "ready"
    CONSENT_NEEDED = "consent needed"
    NOT_SUPPORTED = "not supported"
    FAILING = "failing"
    NEEDS_YOU = "needs you"


FOR_A_PERSON = (ProductState.CONSENT_NEEDED, ProductState.NOT_SUPPORTED, ProductState.NEEDS_YOU)
"""What only a person's request tries again: without consent, a try may add the product to the Item, and
the others would fail as they did. bankloom.request_run has them too."""


class ItemProduct(Base):
    """A product tag.

    `next_try_at` alone says when the tag is due; None means that only a trigger makes it so. A
    run claims the tag by moving it to now plus a lease, and settles only over its own lease.
    """

    __tablename__ = "item_products"
    __table_args__ = (
        CheckConstraint(
            "state IN ({})".format(", ".join(f"'{state}'" for state in ProductState)), "state"
        ),
        Index(
            "item_products_due_idx", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")
        ),
    )

    item_id: Mapped[str] = mapped_column(ForeignKey("items.item_id"), primary_key=True)
    product: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(server_default=ProductState.REQUESTED)
    next_try_at: Mapped[datetime | None]
    cursor: Mapped[str] = mapped_column(server_default="")
    update_status: Mapped[str | None]
    tries_until_complete: Mapped[int] = mapped_column(server_default="0")
    failures: Mapped[int] = mapped_column(server_default="0")
    last_try_at: Mapped[datetime | None]
    last_success_at: Mapped[datetime | None]
    error_code: Mapped[str | None]
    error_message: Mapped[str | None]
    request_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def add(
        cls,
        session: Session,
        item_id: str,
        product: str,
        state: ProductState,
        due_at: datetime | None,
    ) -> bool:
        """Add the tag unless it is there; say whether it is new."""
        cls.lock(session, item_id)
        added = session.execute(
            insert(cls)
            .values(item_id=item_id, product=product, state=state, next_try_at=due_at)
            .on_conflict_do_nothing()
            .returning(cls.product)
        )
        return added.scalar_one_or_none() is not None

    @classmethod
    def of_item(cls, session: Session, item_id: str) -> Sequence[ItemProduct]:
        """Return the Item's tags in the order they were asked for."""
        return session.scalars(
            select(cls).where(cls.item_id == item_id).order_by(cls.created_at, cls.product)
        ).all()

    @classmethod
    def of_items(cls, session: Session, item_ids: Sequence[str]) -> dict[str, list[ItemProduct]]:
        """Return the tags of each Item, in the order they were asked for."""
        rows = session.scalars(
            select(cls).where(one_of(cls.item_id, item_ids)).order_by(cls.created_at, cls.product)
        )
        tags: dict[str, list[ItemProduct]] = {}
        for tag in rows:
            tags.setdefault(tag.item_id, []).append(tag)
        return tags

    @classmethod
    def make_due(
        cls,
        session: Session,
        item_id: str,
        at: datetime,
        *,
        only: str | None = None,
    ) -> None:
        """Make the Item's tags, or one of them, due at an instant, whatever lease stands on them.

        Those that only a person tries are left alone.
        """
        cls.lock(session, item_id)
        due = update(cls).where(cls.item_id == item_id, cls.state.not_in(FOR_A_PERSON))
        due = due.values(next_try_at=at)
        if only is not None:
            due = due.where(cls.product == only)
        session.execute(due)

    @classmethod
    def make_due_in(
        cls, session: Session, item_id: str, states: Collection[ProductState], at: datetime
    ) -> None:
        """Make the Item's tags that are in one of these states due at an instant."""
        cls.lock(session, item_id)
        in_them = update(cls).where(cls.item_id == item_id, cls.state.in_(states))
        session.execute(in_them.values(next_try_at=at))

    @classmethod
    def start_over(
        cls,
        session: Session,
        item_id: str,
        states: Collection[ProductState],
        *,
        only: Collection[str] | None = None,
    ) -> None:
        """Forget what went wrong with the tags in these states, so that any run tries them again."""
        cls.lock(session, item_id)
        stuck = update(cls).where(cls.item_id == item_id, cls.state.in_(states))
        if only is not None:
            stuck = stuck.where(cls.product.in_(only))
        nothing_wrong = {"failures": 0, "error_code": None, "error_message": None}
        fresh = {"state": ProductState.REQUESTED, "request_id": None, **nothing_wrong}
        session.execute(stuck.values(**fresh))

    @classmethod
    def put_off(cls, session: Session, item_id: str, until: datetime) -> None:
        """Let no tag of the Item be due before an instant."""
        early = update(cls).where(cls.item_id == item_id, cls.next_try_at < until)
        session.execute(early.values(next_try_at=until))

    @classmethod
    def rest(cls, session: Session, item_id: str) -> None:
        """Let no tag of the Item be due any more; the caller has locked them."""
        session.execute(update(cls).where(cls.item_id == item_id).values(next_try_at=None))

    @classmethod
    def lock(cls, session: Session, item_id: str) -> None:
        """Lock the Item's set of tags for this commit, those that it does not have yet included.

        Whoever adds a tag or writes several takes this first (after the Item's row, if that too),
        so that nobody waits in a ring: row locks can't give an order to tags that appear meanwhile.
        A request that is being committed comes first, as a whole: its tags would otherwise not be
        claimed while its run already is, and end with nothing done.
        """
        key = func.hashtextextended(item_id, _LOCK_SEED)
        session.execute(select(func.pg_advisory_xact_lock(key)))

    @classmethod
    def claim_due(
        cls,
        session: Session,
        item_id: str,
        at: datetime,
        lease_until: datetime,
        *,
        all_that_work: bool = False,
    ) -> Sequence[ItemProduct]:
        """Claim every tag of the Item that is due, until the lease runs out.

        `all_that_work` claims those that are not due as well, but for what only a person tries:
        somebody has asked for this run, and the clock of their machine may be ahead of ours.
        """
        due = cls.next_try_at <= at
        if all_that_work:
            due |= cls.state.not_in(FOR_A_PERSON)
        return session.scalars(
            update(cls)
            .where(cls.item_id == item_id, due)
            .values(next_try_at=lease_until, last_try_at=at)
            .returning(cls)
        ).all()

    @classmethod
    def move_lease(
        cls, session: Session, tag: ItemProduct, lease: datetime, until: datetime | None
    ) -> bool:
        """Move the tag's own lease; False where a trigger has made the tag due meanwhile."""
        return cls._change(session, tag, cls.next_try_at == lease, next_try_at=until)

    @classmethod
    def move_cursor(
        cls, session: Session, tag: ItemProduct, cursor: str, update_status: str
    ) -> bool:
        """Move the cursor from where the tag was read; False where another run has moved it."""
        return cls._change(
            session, tag, cls.cursor == tag.cursor, cursor=cursor, update_status=update_status
        )

    @classmethod
    def note(cls, session: Session, tag: ItemProduct, **values: Any) -> None:
        """Write how the last try of the tag went."""
        cls._change(session, tag, true(), **values)

    @classmethod
    def note_failure(cls, session: Session, tag: ItemProduct, **values: Any) -> bool:
        """Write how the last try failed; False where it went well, and only that answer was lost."""
        is_as_read = cls.last_success_at.is_not_distinct_from(tag.last_success_at)
        return cls._change(session, tag, is_as_read, failures=tag.failures + 1, **values)

    @classmethod
    def _change(
        cls, session: Session, tag: ItemProduct, condition: ColumnElement[bool], **values: Any
    ) -> bool:
        changed = session.execute(
            update(cls)
            .where(cls.item_id == tag.item_id, cls.product == tag.product, condition)
            .values(**values)
            .returning(cls.product)
            .execution_options(synchronize_session=False)
        )
        return changed.scalar_one_or_none() is not None

    @classmethod
    def due_items(cls, session: Session, at: datetime, limit: int) -> Sequence[str]:
        """Return the Items with a tag that is due, the longest due first."""
        due = select(cls.item_id).join(Item, Item.item_id == cls.item_id)
        due = due.where(cls.next_try_at <= at, Item.removed_at.is_(None))
        return list(dict.fromkeys(session.scalars(due.order_by(cls.next_try_at).limit(limit))))

    @classmethod
    def make_due_by(cls, session: Session, item_id: str, product: str, at: datetime) -> None:
        """Make a tag due at an instant, if it was not due before; one without consent stays so."""
        cls.lock(session, item_id)
        session.execute(
            update(cls)
            .where(
                cls.item_id == item_id,
                cls.product == product,
                cls.state != ProductState.CONSENT_NEEDED,
            )
            .values(next_try_at=func.least(cls.next_try_at, at))
        )
