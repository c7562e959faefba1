"""The shapes of Items and of what is asked of them, as /docs shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, Field

from bankloom.models import ItemState, ProductState
from bankloom.routes import shapes

ItemId = Annotated[shapes.Text, Path(description="Plaid's id of the Item.")]


class Reason(BaseModel):
    """Why an Item is in its state, and what to do next."""

    code: str | None = Field(description="Plaid's error code, or one of ours, if there is one.")
    message: str


class LastError(shapes.RunError):
    """What went wrong and has not gone well since."""

    product: str | None = Field(description="Null: the run as a whole.")
    at: datetime | None


class Freshness(BaseModel):
    """How old a product's data is."""

    bank_updated_at: datetime | None = Field(description="When the bank last gave it to Plaid.")
    plaid_tried_at: datetime | None = Field(description="When Plaid last tried the bank.")
    pulled_at: datetime | None = Field(description="When we last pulled it from Plaid.")


class ProductAnswer(BaseModel):
    """A product tag. `next_try_at` null: only a person or a webhook makes it due again."""

    product: str
    state: ProductState
    update_status: str | None = Field(description="Plaid's `transactions_update_status`.")
    last_try_at: datetime | None
    last_success_at: datetime | None
    next_try_at: datetime | None
    freshness: Freshness
    error: shapes.RunError | None


class History(BaseModel):
    """How far back the transactions go: asked for, and received."""

    days_requested: int | None
    oldest_date: date | None = Field(description="Of the oldest transaction that came.")


class AccountCounts(BaseModel):
    """How many accounts Plaid lists, and how many it no longer lists."""

    open: int
    closed: int


class ItemAnswer(BaseModel):
    """One login at one institution."""

    item_id: str
    user_id: str
    institution_id: str | None
    institution: str | None
    state: ItemState
    state_since: datetime
    reason: Reason | None = Field(description="Null where all is well.")
    error_code: str | None
    last_error: LastError | None
    next_try_at: datetime | None
    cooling_until: datetime | None = Field(description="Until then Plaid is not asked about it.")
    consent_expires_at: datetime | None
    disconnect_at: datetime | None = Field(description="When Plaid will cut it off.")
    new_accounts_at: datetime | None = Field(description="When Plaid told of new accounts.")
    webhook_url: str | None = Field(description="Where Plaid sends its webhooks, if anywhere.")
    history: History
    accounts: AccountCounts
    created_at: datetime
    products: list[ProductAnswer]


class RefreshRequest(shapes.Request):
    """Ask the bank again. This costs money a call."""

    products: list[shapes.Text] = Field(["transactions"], max_length=8)


class RefreshAnswer(BaseModel):
    """Plaid took it; the data comes later."""

    status: Literal["asked"]
    request_id: str | None = Field(description="Plaid's, for their support.")
