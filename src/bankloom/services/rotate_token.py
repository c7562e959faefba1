"""Replaces an Item's access token at Plaid: the new one is committed, sealed, before anything else.

That Plaid is asked is committed first, so that a token lost in between is known to be lost: that is
one of decision 17's two exceptions.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.errors import (
    BankloomError,
    NotFoundError,
    PlaidBusyError,
    PlaidRefusedError,
    PlaidUnreachableError,
)
from bankloom.models import Item
from bankloom.services import audit, lost_token, request_run
from bankloom.services.plaid_errors import TOKEN_VOID, may_have_been_done
from bankloom.services.plaid_messages import TokenExchanged
from bankloom.services.runtime import refuse_other_world
from bankloom.services.store_item import put_item

if TYPE_CHECKING:
    from datetime import datetime

    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

ROTATION = "rotation"
"""The trigger of the run that proves the new token."""

STORE_SECONDS_MAX = 60
"""How long the new token is tried to be stored: a database that fails over is back within a minute,
and to give up costs the bank's link."""

_PAUSE_SECONDS = 1


class RotationInProgressError(BankloomError):
    """Another call is rotating this Item's access token, or died with it. Repeat it in some minutes."""

    code = "rotation_in_progress"
    status = 409


class TokenLostError(BankloomError):
    """Plaid changed the Item's access token, and the new one was lost on its way to us.

    Link the bank anew, and remove the Item in Plaid's Dashboard: nobody holds it any more.
    """

    code = "access_token_lost"
    status = 502


def now(runtime: Runtime, item_id: str) -> None:
    """Have Plaid replace the token, store the new one, and ask for a run with it.

    Runs at work with the old one are fenced off and begun anew. See
    plaid.com/docs/api/items/#itemaccess_tokeninvalidate. Errors: `NotFoundError`, `SealBrokenError`,
    `WorldMismatchError`, `RotationInProgressError`, `TokenLostError`, and what the client raises:
    the old token is good then, unless Plaid does not answer for that either.
    """
    rotation = _Rotation.begin(runtime, item_id)
    rotation.store(rotation.ask())
    log.info("Item %s: its access token was replaced", item_id)


@dataclass(frozen=True)
class _Rotation:
    runtime: Runtime
    item: Item
    access_token: str
    asked_before: datetime | None

    @classmethod
    def begin(cls, runtime: Runtime, item_id: str) -> _Rotation:
        """Commit that Plaid is about to be asked."""
        with runtime.database.session() as session:
            item = Item.lock(session, item_id)
            if item is None:
                raise NotFoundError("There is no Item of that id here.")
            refuse_other_world(item.world, runtime.plaid.world)
            if lost_token.is_under_way(item, runtime.settings):
                raise RotationInProgressError
            token = runtime.keyring.open(item.access_token_sealed, item.item_id)
            asked_before, item.token_asked_at = item.token_asked_at, clock.now()
        return cls(runtime, item, token, asked_before)

    def ask(self) -> str:
        """Return the new token; whatever else Plaid answers is settled."""
        try:
            return self.runtime.plaid.access_token_invalidate(self.access_token)
        except PlaidRefusedError as error:
            if error.error_code == TOKEN_VOID:
                self._lose(error)
            if may_have_been_done(error):
                self._find_out(error)
            self._take_back()
            raise
        except PlaidUnreachableError as error:
            if error.was_sent:
                self._find_out(error)
            self._take_back()
            raise
        except PlaidBusyError:
            self._take_back()
            raise

    def store(self, access_token: str) -> None:
        """Commit the new token; where the database is gone, wait for it a while."""
        deadline = time.monotonic() + STORE_SECONDS_MAX
        while True:
            try:
                self._put(access_token)
            except SQLAlchemyError as error:  # it may have been stored: to do so again is the same
                if time.monotonic() > deadline:
                    raise TokenLostError from error
                log.warning("Item %s: its new access token is not stored yet", self.item.item_id)
                time.sleep(_PAUSE_SECONDS)
            else:
                return

    def _put(self, access_token: str) -> None:
        item_id = self.item.item_id
        with self.runtime.database.session() as session:
            item = Item.lock(session, item_id)
            if item is not None:
                told = TokenExchanged(access_token, item_id)
                put_item(self.runtime, session, item.user_id, told)
                rotated = audit.Action.TOKEN_ROTATED
                audit.note(self.runtime, session, rotated, item_id=item_id, user_id=item.user_id)
                request_run.request(session, item_id, ROTATION, asks_item=True)
        if item is None:  # removed here meanwhile: then at Plaid too
            self.runtime.plaid.item_remove(access_token)
            raise NotFoundError("The Item was removed meanwhile.")

    def _find_out(self, error: BankloomError) -> None:
        """Ask with the old token whether Plaid has replaced it; return if it has not.

        Errors: `TokenLostError` if it has; `error` where that is not known, and a run will find out.
        """
        try:
            self.runtime.plaid.item_get(self.access_token)
        except PlaidRefusedError as refusal:
            if refusal.error_code == TOKEN_VOID:
                self._lose(error)
            raise error from refusal
        except BankloomError as silence:
            raise error from silence

    def _lose(self, error: BankloomError) -> None:
        """Note the loss, unless another token was stored meanwhile. Errors: `TokenLostError`."""
        with self.runtime.database.session() as session:
            item = Item.lock(session, self.item.item_id)
            if item is None or item.token_generation != self.item.token_generation:
                raise error
            item.token_asked_at = None
            lost_token.note(session, item.item_id)
        raise TokenLostError from error

    def _take_back(self) -> None:
        """Let the old token stand as it stood."""
        with self.runtime.database.session() as session:
            item = Item.lock(session, self.item.item_id)
            if item is not None and item.token_generation == self.item.token_generation:
                item.token_asked_at = self.asked_before
