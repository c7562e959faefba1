"""Exchanges a public token at Plaid under a claim: the sealed access token is stored, or undone."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.errors import (
    BankloomError,
    DatabaseLostError,
    PlaidRefusedError,
    PlaidUnreachableError,
    UnknownPublicTokenError,
)
from bankloom.models import (
    Account,
    ExchangeClaim,
    Institution,
    Item,
    ItemProduct,
    LinkSession,
    ProductState,
    User,
)
from bankloom.services import sync_item
from bankloom.services.sync_accounts import link_account_values

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from bankloom.services.find_linker import Linker
    from bankloom.services.plaid_messages import ItemAddResult, TokenExchanged
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 15


class Linked(NamedTuple):
    """The answer of an exchange."""

    access_token: str
    item_id: str
    product: str


@dataclass(frozen=True)
class Exchange:
    """A public token that is to be spent for a product, and who linked it.

    First `claim`, then `spend`: the claim is committed before Plaid is called, so that of two
    calls one spends the token, and a crash in between is finished later.
    """

    runtime: Runtime
    public_token: str
    product: str
    linker: Linker

    @property
    def token_hash(self) -> str:
        """The keyed hash that the claim is found by."""
        return self.runtime.keyring.hash(self.public_token)

    def claim(self) -> int | None:
        """Commit the claim; return which attempt this is, or None where another call holds it."""
        at = clock.now()
        plaid = self.runtime.settings.plaid
        call_seconds = plaid.connect_timeout_seconds + plaid.read_timeout_seconds
        with self.runtime.database.session() as session:
            claim = ExchangeClaim(
                public_token_hash=self.token_hash,
                public_token_sealed=self.runtime.keyring.seal(self.public_token, self.token_hash),
                user_id=self._user_id(session),
                link_session_id=self.linker.session_id,
                product=self.product,
                lease_until=at + timedelta(seconds=call_seconds + LEASE_MARGIN_SECONDS),
            )
            return ExchangeClaim.take(session, claim, at)

    def spend(self, attempt: int) -> Linked:
        """Exchange at Plaid and commit the sealed access token before anything else can fail."""
        try:
            told = self.runtime.plaid.public_token_exchange(self.public_token)
        except PlaidUnreachableError:
            with self.runtime.database.session() as session:
                ExchangeClaim.end_lease(session, self.token_hash, clock.now())
            raise
        except PlaidRefusedError as error:
            raise self._settle_refusal(attempt, error) from error
        try:
            with self.runtime.database.session() as session:
                self._store(session, told)
        except SQLAlchemyError as error:
            self._compensate(told, error)
        return Linked(told.access_token, told.item_id, self.product)

    def _user_id(self, session: Session) -> uuid.UUID:
        return self.linker.user_id or User.get_or_create(session, self.linker.user_name).id

    def _settle_refusal(self, attempt: int, error: PlaidRefusedError) -> BankloomError:
        """Free the claim, or report a possible orphan if an earlier try may have spent the token."""
        token_is_void = error.error_code == "INVALID_PUBLIC_TOKEN"
        with self.runtime.database.session() as session:
            if attempt == 1:
                ExchangeClaim.release(session, self.token_hash)
            elif token_is_void:
                report_possible_orphan(session, self.token_hash)
            else:
                ExchangeClaim.end_lease(session, self.token_hash, clock.now())
        return UnknownPublicTokenError(**error.details) if token_is_void else error

    def _store(self, session: Session, told: TokenExchanged) -> None:
        """Store the Item with its sealed token, its first tag, and the request for its first run."""
        _put_item(self.runtime, session, self._user_id(session), told)
        if self.linker.result:
            _put_what_link_told(session, told.item_id, self.linker.result)
        ExchangeClaim.settle(session, self.token_hash, told.item_id, clock.now())
        add_tag(session, told.item_id, self.product, self.linker.session_id)
        sync_item.request(session, told.item_id, "exchange")

    def _compensate(self, told: TokenExchanged, error: SQLAlchemyError) -> None:
        """Undo at Plaid what could not be stored, once a fresh connection proves that it was not.

        A connection lost at COMMIT may have committed. Where the database can't be asked, the
        claim stays and is tried again later. Errors: `DatabaseLostError`, unless it was stored.
        """
        self.runtime.database.engine.dispose()
        try:
            with self.runtime.database.session() as session:
                if Item.find(session, told.item_id) is not None:
                    return
        except SQLAlchemyError:
            raise DatabaseLostError from error
        self.runtime.plaid.item_remove(told.access_token)
        with self.runtime.database.session() as session:
            ExchangeClaim.release(session, self.token_hash)
        raise DatabaseLostError(
            "The Item could not be stored, so it was removed at Plaid again. Open Link once more."
        ) from error


def add_tag(
    session: Session, item_id: str, product: str, link_session_id: uuid.UUID | None
) -> None:
    """Add the product's tag; a product that the session did not ask for still needs consent."""
    link = session.get(LinkSession, link_session_id) if link_session_id else None
    consented = link is None or product in link.products
    state = ProductState.REQUESTED if consented else ProductState.CONSENT_NEEDED
    is_new = ItemProduct.add(session, item_id, product, state, None)
    if is_new and consented:
        sync_item.request(session, item_id, "exchange")


def report_possible_orphan(session: Session, token_hash: str) -> None:
    """Record that Plaid may hold an Item whose access token was lost on its way to us."""
    ExchangeClaim.mark_possible_orphan(session, token_hash)
    log.error(
        "Possible orphan: Plaid took a public token, but its answer was lost before it could be "
        "stored. If an Item without owner shows up in the Plaid Dashboard, remove it there. "
        "Claim %s",
        token_hash[:12],
    )


def _put_item(runtime: Runtime, session: Session, user_id: uuid.UUID, told: TokenExchanged) -> None:
    """Insert the Item, or give the one we hold the access token that Plaid answered this time."""
    sealed = runtime.keyring.seal(told.access_token, told.item_id)
    token_hash = runtime.keyring.hash(told.access_token)
    item = Item.lock(session, told.item_id)
    if item is None:
        session.add(
            Item(
                item_id=told.item_id,
                user_id=user_id,
                access_token_sealed=sealed,
                access_token_hash=token_hash,
                **runtime.plaid.world._asdict(),
            )
        )
        session.flush()
    elif item.user_id != user_id:
        raise UnknownPublicTokenError
    elif item.access_token_hash != token_hash:
        item.access_token_sealed, item.access_token_hash = sealed, token_hash
        item.token_generation += 1


def _put_what_link_told(session: Session, item_id: str, result: ItemAddResult) -> None:
    """Store the names that Link gave, so that they are there before the first run."""
    Account.put_stubs(session, item_id, [link_account_values(named) for named in result.accounts])
    told = result.institution
    if told and told.institution_id:
        Institution.note_name(session, told.institution_id, told.name or told.institution_id)
        session.get_one(Item, item_id).institution_id = told.institution_id
