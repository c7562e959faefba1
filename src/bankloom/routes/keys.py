"""API keys: an app's back end mints short-lived ones for its own front end, lists and revokes."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from bankloom.models import ApiKey, Scope
from bankloom.routes import shapes
from bankloom.routes.access import MayAdmin
from bankloom.routes.answers import JsonAnswer
from bankloom.services import api_keys
from bankloom.services.api_keys import MINTED_SECONDS_MAX, WantedKey

router = APIRouter(prefix="/keys", tags=["keys"])

UserScope = Literal["read", "sync", "link"]


class MintRequest(shapes.Request):
    """Mint a key for one person."""

    user_id: shapes.UserId
    scopes: list[UserScope] = Field(["read"], min_length=1, max_length=3)
    name: shapes.Text = "front end"
    seconds: int = Field(900, ge=60, le=MINTED_SECONDS_MAX, description="How long it is good for.")


class KeyAnswer(BaseModel):
    """A key, without the key itself."""

    key_id: uuid.UUID
    prefix: str = Field(description="The key's public beginning, to know it by.")
    name: str
    owner: str | None
    user_id: str | None = Field(description="Null: it reaches everyone.")
    scopes: list[Scope]
    minted: bool = Field(description="Made by POST /keys.")
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None


class MintedAnswer(KeyAnswer):
    """A new key. `key` is told this once."""

    key: str


@router.post("", status_code=201, response_model=MintedAnswer, responses=shapes.errors())
def mint(body: MintRequest, call: MayAdmin) -> JsonAnswer:
    """Mint a key that reaches one user and ends soon, for the front end of your app."""
    scopes = [Scope(scope) for scope in body.scopes]
    wanted = WantedKey(body.name, scopes, body.user_id)
    key, row = api_keys.mint(*call, wanted, body.seconds)
    answer = {"key": key} | _key_json(row, body.user_id)
    return JsonAnswer(answer, 201, {"Cache-Control": "no-store"})


@router.get("", response_model=list[KeyAnswer], responses=shapes.errors())
def list_keys(call: MayAdmin) -> JsonAnswer:
    """List all keys, the newest on top; the key of the settings is none of them."""
    with call.runtime.database.session() as session:
        rows = ApiKey.listing(session)
    return JsonAnswer([_key_json(key, user_name) for key, user_name in rows])


@router.delete("/{key_id}", status_code=204, responses=shapes.errors(404))
def revoke(key_id: uuid.UUID, call: MayAdmin) -> None:
    """Revoke a key and all that it minted: from now on they open nothing."""
    api_keys.revoke(call.runtime, key_id)


def _key_json(key: ApiKey, user_name: str | None) -> dict[str, Any]:
    return {
        "key_id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "owner": key.owner,
        "user_id": user_name,
        "scopes": key.scopes,
        "minted": key.minted,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "last_used_at": key.last_used_at,
        "revoked_at": key.revoked_at,
    }
