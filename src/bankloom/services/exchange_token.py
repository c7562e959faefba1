"""Exchanges a public token at Plaid under a claim: the sealed access token is stored, or undone."""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.errors import (
    BankloomError,
    DatabaseLostError,
    DuplicateItemError,
    PlaidRefusedError,
    UnknownPublicTokenError,
)
from bankloom.models import ClaimState, ExchangeClaim, Item, LinkSession, User
from bankloom.services import audit, request_run
from bankloom.services.find_linker import find_duplicate
from bankloom.services.plaid_errors import may_have_been_done
from bankloom.services.store_item import (
    add_tag,
    note_history_asked,
    products_of,
    put_item,
    put_what_link_told,
)

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from bankloom.services.find_linker import Linker
    from bankloom.services.plaid_messages import TokenExchanged
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

LEASE_MARGIN_SECONDS = 15


class OnDuplicate(enum.Enum):
    """What to do about accounts that the person has linked already."""

    REFUSE = "tell the caller"
    HOLD = "keep the token for a person's decision: no caller is there to be told"
    LINK = "link them a second time"


class Linked(NamedTuple):
    """The answer of an exchange."""

    access_token: str
    item_id: str
    product: str


@dataclass(frozen=True)
class Exchange:
    """A public token that is to be spent for a product, and who linked it.

    First `claim`, then `spend`, which releases a claim that spent nothing: the claim is committed
    before Plaid is called, so that of two calls one spends the token, and a crash in between is
    finished later. `attempt` fences a call whose lease ran out from undoing what its successor did.
    """

    runtime: Runtime
    public_token: str
    product: str
    linker: Linker
    on_duplicate: OnDuplicate = OnDuplicate.REFUSE

    @property
    def token_hash(self) -> str:
        """The keyed hash that the claim is found by."""
        return self.runtime.keyring.hash(self.public_token)

    def claim(self) -> int | None:
        """Commit the claim; return which attempt this is, or None where the token is not ours to spend.

        That is: another call holds the claim, or the token is held for a decision. Errors:
        `DuplicateItemError`, and nothing was claimed. Later attempts do not look for a duplicate:
        an earlier one may have spent the token. Looking under the claim, it can't be a twin's.
        """
        at = clock.now()
        with self.runtime.database.session() as session:
            claim = ExchangeClaim(
                public_token_hash=self.token_hash,
                public_token_sealed=self.runtime.keyring.seal(self.public_token, self.token_hash),
                user_id=self._user_id(session),
                link_session_id=self.linker.session_id,
                world=str(self.runtime.plaid.world),
                product=self.product,
                lease_until=lease_until(self.runtime, at),
            )
            insists = self.on_duplicate is OnDuplicate.LINK
            attempt = ExchangeClaim.take(session, claim, at, even_held=insists)
            looks = attempt == 1 and not insists
            duplicate_of = find_duplicate(session, self.linker) if looks else None
            if duplicate_of is None:
                return attempt
            if self.on_duplicate is OnDuplicate.REFUSE:
                raise DuplicateItemError(duplicate_of)
            ExchangeClaim.hold(session, self.token_hash, duplicate_of)
        log.warning("Item %s has these accounts already: a decision is waited for", duplicate_of)
        return None

    def release(self, attempt: int) -> None:
        """Give the claim back: nothing was spent, and nothing is left of this call."""
        with self.runtime.database.session() as session:
            user_id = ExchangeClaim.release(session, self.token_hash, attempt)
        if user_id is not None and self.runtime.user_id is None:  # whom a key reaches has that key
            with self.runtime.database.session() as session:
                User.forget_if_unused(session, user_id)

    def spend(self, attempt: int) -> Linked:
        """Exchange at Plaid and commit the sealed access token before anything else can fail."""
        try:
            told = self.runtime.plaid.public_token_exchange(self.public_token)
        except PlaidRefusedError as error:
            return self._settle_refusal(attempt, error)
        except BankloomError as error:
            self._settle_silence(attempt, was_sent=may_have_been_done(error))
            raise
        try:
            with self.runtime.database.session() as session:
                self._store(session, told)
        except UnknownPublicTokenError:  # the Item is another person's: it is theirs, and held
            self.release(attempt)
            raise
        except Exception as error:  # noqa: BLE001 - whatever it was, the token must not be lost
            self._compensate(attempt, told, error)
        return Linked(told.access_token, told.item_id, self.product)

    def _user_id(self, session: Session) -> uuid.UUID:
        """Return whose it is, by name: a refused call may have forgotten the id known before."""
        return User.get_or_create(session, self.linker.user_name).id

    def _settle_silence(self, attempt: int, *, was_sent: bool) -> None:
        """Plaid may or may not have spent the token, unless the request never reached it."""
        if attempt == 1 and not was_sent:
            self.release(attempt)
            return
        with self.runtime.database.session() as session:
            ExchangeClaim.end_lease(session, self.token_hash, attempt, clock.now())

    def _settle_refusal(self, attempt: int, error: PlaidRefusedError) -> Linked:
        """Free the claim, or report a possible orphan if an earlier try may have spent the token.

        Where a twin has finished it meanwhile, the token is void for that, and the answer is its Item.
        Errors: what the refusal means.
        """
        if may_have_been_done(error):
            self._settle_silence(attempt, was_sent=True)
            raise error
        token_is_void = error.error_code == "INVALID_PUBLIC_TOKEN"
        if attempt == 1:
            self.release(attempt)
        else:
            with self.runtime.database.session() as session:
                if token_is_void:
                    report_possible_orphan(session, self.token_hash, attempt)
                else:
                    ExchangeClaim.end_lease(session, self.token_hash, attempt, clock.now())
        answer = self._answer_of_twin() if token_is_void else None
        if answer is None:
            raise (UnknownPublicTokenError(**error.details) if token_is_void else error) from error
        return answer

    def _answer_of_twin(self) -> Linked | None:
        with self.runtime.database.session() as session:
            found = ExchangeClaim.find(session, self.token_hash)
            if found is None or found[1] != self.linker.user_name:
                return None
            return answer_from(self.runtime, session, found[0], self.product)

    def _store(self, session: Session, told: TokenExchanged) -> None:
        """Store the Item with its sealed token, its first tags, and the request for its first run."""
        user_id = self._user_id(session)
        put_item(self.runtime, session, user_id, told)
        if self.linker.result:
            put_what_link_told(session, told.item_id, self.linker.result)
        at, link_id = clock.now(), self.linker.session_id
        note_history_asked(session, told.item_id, link_id)
        first = ExchangeClaim.settle(session, self.token_hash, told.item_id, at)
        if link_id:
            LinkSession.note_exchange(session, link_id, told.item_id, at)
        products = products_of(session, [first or self.product, self.product], link_id)
        for product in products:
            add_tag(session, told.item_id, product, link_id)
        request_run.request(session, told.item_id, "exchange")
        self._note(session, told.item_id, user_id, products)

    def _note(
        self, session: Session, item_id: str, user_id: uuid.UUID, products: Sequence[str]
    ) -> None:
        audit.note(
            self.runtime,
            session,
            audit.Action.ITEM_LINKED,
            item_id=item_id,
            user_id=user_id,
            products=products,
            link_session_id=self.linker.session_id,
            though_duplicate=self.on_duplicate is OnDuplicate.LINK,
        )

    def _compensate(self, attempt: int, told: TokenExchanged, error: Exception) -> None:
        """Undo at Plaid what could not be stored, once another connection proves that it was not.

        A connection lost at COMMIT may have committed, or may still be about to: locking the
        claim waits for that. Where the database can't be asked, or the Item is one that we held
        before, or another has taken the claim over, who may store it in a moment, the claim
        stays and is tried again later. Errors: `DatabaseLostError`, unless it was stored.
        """
        try:
            with self.runtime.database.session() as session:
                state = ExchangeClaim.lock(session, self.token_hash)
                is_new = not Item.is_held(session, told.item_id)
                until = lease_until(self.runtime, clock.now())
                is_ours = is_new and ExchangeClaim.renew(session, self.token_hash, attempt, until)
        except SQLAlchemyError:
            raise DatabaseLostError from error
        if state == ClaimState.DONE:
            return
        if not is_ours:
            raise DatabaseLostError from error
        self.runtime.plaid.item_remove(told.access_token)
        self.release(attempt)
        raise DatabaseLostError(
            "The Item could not be stored, so it was removed at Plaid again. Open Link once more."
        ) from error


def lease_until(runtime: Runtime, at: datetime) -> datetime:
    """Return until when a call to Plaid that begins now may last, with a margin to write its answer."""
    plaid = runtime.settings.plaid
    call_seconds = plaid.connect_timeout_seconds + plaid.read_timeout_seconds
    return at + timedelta(seconds=call_seconds + LEASE_MARGIN_SECONDS)


def answer_from(
    runtime: Runtime, session: Session, claim: ExchangeClaim, product: str
) -> Linked | None:
    """Answer from a claim that is done, and add the product's tag; None where it can't answer."""
    item = Item.find(session, claim.item_id or "")
    if item is None or not claim.answers(clock.now()):
        return None
    if add_tag(session, item.item_id, product, claim.link_session_id):
        audit.note(
            runtime,
            session,
            audit.Action.ITEM_LINKED,
            item_id=item.item_id,
            user_id=item.user_id,
            products=[product],
            link_session_id=claim.link_session_id,
        )
    access_token = runtime.keyring.open(item.access_token_sealed, item.item_id)
    return Linked(access_token, item.item_id, product)


def report_possible_orphan(session: Session, token_hash: str, attempt: int) -> None:
    """Record that Plaid may hold an Item whose access token was lost on its way to us."""
    if not ExchangeClaim.mark_possible_orphan(session, token_hash, attempt):
        return  # a twin has taken it over, and knows better
    log.error(
        "Possible orphan: Plaid took a public token, but its answer was lost before it could be "
        "stored. If an Item without owner shows up in the Plaid Dashboard, remove it there. "
        "Claim %s",
        token_hash[:12],
    )
