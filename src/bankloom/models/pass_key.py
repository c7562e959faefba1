"""The key under which the passes of confined sessions are signed, as the database verifies them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, or_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from bankloom.models.base import Base

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

_BLOCK_BYTES = 64  # of SHA-256; RFC 2104 pads the key to it


class PassKey(Base):
    """One row: the key of HMAC-SHA-256, padded and combined with the constants of RFC 2104.

    It is derived from the keyring, and opens nothing without the confined role's password.
    """

    __tablename__ = "pass_key"
    __table_args__ = (CheckConstraint("id", name="one"),)

    id: Mapped[bool] = mapped_column(primary_key=True, server_default="true")
    inner_pad: Mapped[bytes]
    outer_pad: Mapped[bytes]

    @classmethod
    def put(cls, session: Session, key: bytes) -> None:
        """Store the key (64 bytes at most), unless it is there."""
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        pads = {
            "inner_pad": bytes(byte ^ 0x36 for byte in padded),
            "outer_pad": bytes(byte ^ 0x5C for byte in padded),
        }
        session.execute(
            insert(cls)
            .values(id=True, **pads)
            .on_conflict_do_update(
                index_elements=[cls.id],
                set_=pads,
                where=or_(cls.inner_pad != pads["inner_pad"], cls.outer_pad != pads["outer_pad"]),
            )
        )
