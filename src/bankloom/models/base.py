"""What every table shares: the schema, the names of constraints, and the column types."""

from __future__ import annotations

import hashlib
import uuid
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, cast

from sqlalchemy import Date, DateTime, LargeBinary, MetaData, Numeric, Text, any_, func, literal
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.orm import DeclarativeBase, mapped_column

from bankloom.core.db import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, CursorResult, Table, TextClause
    from sqlalchemy.orm import InstrumentedAttribute, Session


class Base(DeclarativeBase):
    """The registry of all tables."""

    metadata = MetaData(
        schema=SCHEMA,
        naming_convention={
            "pk": "%(table_name)s_pkey",
            "fk": "%(table_name)s_%(column_0_name)s_fkey",
            "uq": "%(table_name)s_%(column_0_N_name)s_key",
            "ix": "%(table_name)s_%(column_0_N_name)s_idx",
            "ck": "%(table_name)s_%(constraint_name)s_check",
        },
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        list[str]: ARRAY(Text()),
        Decimal: Numeric(),  # no scale: the bank's digits are kept as they came
        datetime: DateTime(timezone=True),
        date: Date(),
        uuid.UUID: UUID(),
        bytes: LargeBinary(),
    }


OurId = Annotated[uuid.UUID, mapped_column(primary_key=True, server_default=func.gen_random_uuid())]
CreatedAt = Annotated[datetime, mapped_column(server_default=func.now())]


def table_of(model: type[Base]) -> Table:
    """Return the model's table: statements on it skip the ORM."""
    return cast("Table", model.__table__)


def sha256(secret: str) -> str:
    """Return what is stored of a secret of 256 random bits: nobody guesses one, so it is quick."""
    return hashlib.sha256(secret.encode()).hexdigest()


def one_of(column: InstrumentedAttribute[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return `column = ANY(values)`: one parameter, where `IN` has one a value, 65,535 at most."""
    return column == any_(literal(list(values), ARRAY(Text())))


def rows_changed(session: Session, statement: TextClause, params: dict[str, Any]) -> int:
    """Execute and return the number of rows that the statement changed."""
    return cast("CursorResult[Any]", session.execute(statement, params)).rowcount
