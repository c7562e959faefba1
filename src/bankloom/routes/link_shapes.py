"""The shapes of requests and answers around Link: its tokens, its sessions, update mode."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from bankloom.routes.shapes import Request, SyncAnswer, Text, UserId, sync_answers

PRODUCTS_MAX = 32


class LinkTokenRequest(Request):
    """Open Link for a person."""

    user_id: UserId = Field(description="Your own id of the person; any text.")
    products: list[Text] = Field(
        ["transactions"], max_length=PRODUCTS_MAX, description="What Link is to ask consent for."
    )
    hosted: bool = Field(
        default=False,
        description="Plaid shows Link at a URL of its own; what comes of it is exchanged for you.",
    )


class UpdateLinkTokenRequest(Request):
    """Send the person through Link again for an Item they have linked."""

    reason: Literal["repair", "accounts", "products"]
    products: list[Text] = Field(
        [],
        max_length=PRODUCTS_MAX,
        description="With the reason `products`: what to ask consent for.",
    )
    hosted: bool = Field(default=False, description="Plaid shows Link at a URL of its own.")


class LinkTokenAnswer(BaseModel):
    """Give the token to Link in the browser, or the person the URL; valid until `expiration`."""

    link_token: str
    expiration: datetime
    hosted_link_url: str | None = Field(description="Null unless `hosted` was asked for.")
    link_session_id: uuid.UUID = Field(description="Ours; for `GET /plaid/link-sessions/{id}`.")


class RepairedRequest(Request):
    """The person came back from update mode."""

    link_session_id: uuid.UUID | None = Field(
        None, strict=False, description="Which one; if absent, the newest that is open."
    )
    wait: bool = Field(default=True, description="Wait up to 25 s for the run to end.")


class RepairedAnswer(SyncAnswer):
    """What the run did, and how the Item is after it."""

    state: str


class DuplicateAnswer(BaseModel):
    """Accounts that are linked already; the public token is kept until someone decides."""

    duplicate_of: str = Field(description="The Item that has one of these accounts.")
    held_since: datetime
    linkable_until: datetime = Field(description="After that it can only be discarded.")


class LinkSessionAnswer(BaseModel):
    """One link token and what became of it."""

    link_session_id: uuid.UUID
    user_id: str
    purpose: Literal["link", "repair", "accounts", "products"]
    item_id: str | None = Field(description="The Item of an update mode.")
    products: list[str]
    hosted: bool
    state: Literal["open", "finished", "lost", "exited", "expired"]
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None
    exited_at: datetime | None
    linked_item_ids: list[str]
    duplicates: list[DuplicateAnswer]


class DecisionRequest(Request):
    """What to do with the duplicates that a session holds."""

    decision: Literal["link", "discard"]
    duplicate_of: Text | None = Field(None, description="Only those of this Item; else all.")


def repaired_answers() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of what `repaired` may answer: what a sync may, and the state."""
    told = sync_answers()
    return {
        status: {**each, "model": RepairedAnswer} if each.get("model") is SyncAnswer else each
        for status, each in told.items()
    }
