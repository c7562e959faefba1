"""Links an Item: spends a public token once, whatever happens, and answers for it afterwards."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy.exc import SQLAlchemyError

from bankloom.core import clock
from bankloom.core.errors import (
    BankloomError,
    DatabaseLostError,
    DuplicateItemError,
    ExchangeInProgressError,
    PlaidRefusedError,
    PlaidUnreachableError,
    UnknownPublicTokenError,
)
from bankloom.models import (
    Account,
    ClaimState,
    ExchangeClaim,
    Institution,
    Item,
    ItemProduct,
    LinkSession,
    ProductState,
    User,
)
from bankloom.models.exchange_claim import PUBLIC_TOKEN_LIFETIME
from bankloom.services import sync_item
from bankloom.services.find_linker import Linker, find_linker, named_linker, refuse_duplicate
from bankloom.services.open_link import check_products
from bankloom.services.sync_accounts import link_account_values

if TYPE_CHECKING:
    import uuid

    from sqlalchemy.orm import Session

    from bankloom.services.plaid_messages import TokenExchanged
    from bankloom.services.runtime import Runtime

log = logging.getLogger(__name__)

WAIT_FOR_TWIN_SECONDS = 30
TWIN_POLL_SECONDS = 0.1
LEASE_MARGIN_SECONDS = 15
CLAIMS_RETRIED_MAX = 100


class Linked(NamedTuple):
    """The answer of an exchange."""

    access_token: str
    item_id: str
    product: str


class ExchangeRequest(NamedTuple):
    """What the caller gave."""

    public_token: str
    product: str
    user_name: str | None = None
    link_token: str | None = None
    allow_duplicate: bool = False


def exchange(runtime: Runtime, asked: ExchangeRequest) -> Linked:
    """Exchange a public token for one product; later calls for other products add their tag.

    Errors: `InvalidProductsError`, `UnknownLinkTokenError`, `UserUnknownError`,
    `DuplicateItemError` (nothing was spent in these), `UnknownPublicTokenError`,
    `ExchangeInProgressError`, and what the client raises.
    """
    check_products([asked.product])
    token_hash = runtime.keyring.hash(asked.public_token)
    link_token_hash = runtime.keyring.hash(asked.link_token) if asked.link_token else None
    with runtime.database.session() as session:
        named = named_linker(session, asked.user_name, link_token_hash)
    answer = _answer_from_record(runtime, token_hash, asked.product, named)
    if answer:
        return answer
    linker = find_linker(runtime, asked.public_token, named, asked.link_token)
    if not asked.allow_duplicate:
        try:
            refuse_duplicate(runtime, linker)
        except DuplicateItemError:
            # Asked again: a twin call may have stored this very token's Item meanwhile.
            answer = _answer_from_record(runtime, token_hash, asked.product, named)
            if answer:
                return answer
            raise
    attempt = _claim(runtime, asked.public_token, asked.product, linker)
    if attempt is None:
        return _wait_for_twin(runtime, token_hash, asked.product, named)
    return _spend(runtime, asked.public_token, asked.product, linker, attempt)


def _answer_from_record(
    runtime: Runtime, token_hash: str, product: str, named: Linker | None
) -> Linked | None:
    """Answer from our own record of this token, and add the product's tag; None if there is none."""
    with runtime.database.session() as session:
        claim = ExchangeClaim.find(session, token_hash)
        if claim is None or claim.state == ClaimState.CLAIMED:
            return None
        by_another = named is not None and named.user_id != claim.user_id
        if by_another or not claim.answers_for(claim.user_id, clock.now()):
            raise UnknownPublicTokenError
        item = Item.find(session, claim.item_id or "")
        if item is None:
            raise UnknownPublicTokenError
        _add_tag(session, item.item_id, product, claim.link_session_id)
        return Linked(
            runtime.keyring.open(item.access_token_sealed, item.item_id), item.item_id, product
        )


def _wait_for_twin(runtime: Runtime, token_hash: str, product: str, named: Linker | None) -> Linked:
    """Wait for the call that holds the claim, then answer from its record."""
    deadline = time.monotonic() + WAIT_FOR_TWIN_SECONDS
    while time.monotonic() < deadline:
        answer = _answer_from_record(runtime, token_hash, product, named)
        if answer:
            return answer
        with runtime.database.session() as session:
            claim = ExchangeClaim.find(session, token_hash)
        if claim is None or claim.lease_until < clock.now():
            break  # the twin was refused or got no answer; its caller was told why
        time.sleep(TWIN_POLL_SECONDS)
    raise ExchangeInProgressError


def _claim(runtime: Runtime, public_token: str, product: str, linker: Linker) -> int | None:
    """Commit the claim before anything is spent; None where another call holds it."""
    at = clock.now()
    timeouts = runtime.settings.plaid
    lease_seconds = (
        timeouts.connect_timeout_seconds + timeouts.read_timeout_seconds + LEASE_MARGIN_SECONDS
    )
    token_hash = runtime.keyring.hash(public_token)
    with runtime.database.session() as session:
        claim = ExchangeClaim(
            public_token_hash=token_hash,
            public_token_sealed=runtime.keyring.seal(public_token, token_hash),
            user_id=linker.user_id or User.get_or_create(session, linker.user_name).id,
            link_session_id=linker.session_id,
            product=product,
            lease_until=at + timedelta(seconds=lease_seconds),
        )
        return ExchangeClaim.take(session, claim, at)


def _spend(
    runtime: Runtime, public_token: str, product: str, linker: Linker, attempt: int
) -> Linked:
    """Exchange at Plaid and commit the sealed access token before anything else can fail."""
    token_hash = runtime.keyring.hash(public_token)
    try:
        told = runtime.plaid.public_token_exchange(public_token)
    except PlaidUnreachableError:
        with runtime.database.session() as session:
            ExchangeClaim.end_lease(session, token_hash, clock.now())
        raise
    except PlaidRefusedError as error:
        raise _settle_refusal(runtime, token_hash, attempt, error) from error
    try:
        with runtime.database.session() as session:
            _store(runtime, session, token_hash, product, linker, told)
    except SQLAlchemyError as error:
        _compensate(runtime, token_hash, told, error)
    return Linked(told.access_token, told.item_id, product)


def _settle_refusal(
    runtime: Runtime, token_hash: str, attempt: int, error: PlaidRefusedError
) -> BankloomError:
    """Free the claim, or report a possible orphan if an earlier try may have spent the token."""
    token_is_void = error.error_code == "INVALID_PUBLIC_TOKEN"
    with runtime.database.session() as session:
        if attempt == 1:
            ExchangeClaim.release(session, token_hash)
        elif token_is_void:
            ExchangeClaim.mark_possible_orphan(session, token_hash)
            log.error(
                "Possible orphan: Plaid took a public token, but its answer was lost before it "
                "could be stored. If an Item without owner shows up in the Plaid Dashboard, "
                "remove it there. Claim %s",
                token_hash[:12],
            )
        else:
            ExchangeClaim.end_lease(session, token_hash, clock.now())
    return UnknownPublicTokenError(**error.details) if token_is_void else error


def _store(  # noqa: PLR0913, PLR0917 - the six things that one commit brings together
    runtime: Runtime,
    session: Session,
    token_hash: str,
    product: str,
    linker: Linker,
    told: TokenExchanged,
) -> None:
    """Store the Item with its sealed token, its first tag, and the request for its first run."""
    user_id = linker.user_id or User.get_or_create(session, linker.user_name).id
    _put_item(runtime, session, user_id, told)
    if linker.result:
        accounts = [link_account_values(account) for account in linker.result.accounts]
        Account.put_stubs(session, told.item_id, accounts)
        institution = linker.result.institution
        if institution and institution.institution_id:
            name = institution.name or institution.institution_id
            Institution.note_name(session, institution.institution_id, name)
            session.get_one(Item, told.item_id).institution_id = institution.institution_id
    ExchangeClaim.settle(session, token_hash, told.item_id, clock.now())
    _add_tag(session, told.item_id, product, linker.session_id)
    sync_item.request(session, told.item_id, "exchange")


def _put_item(runtime: Runtime, session: Session, user_id: uuid.UUID, told: TokenExchanged) -> None:
    """Insert the Item, or give the one we hold the access token that Plaid answered this time."""
    sealed = runtime.keyring.seal(told.access_token, told.item_id)
    token_hash = runtime.keyring.hash(told.access_token)
    item = Item.lock(session, told.item_id)
    if item is None:
        world = runtime.plaid.world._asdict()
        session.add(
            Item(
                item_id=told.item_id,
                user_id=user_id,
                access_token_sealed=sealed,
                access_token_hash=token_hash,
                **world,
            )
        )
        session.flush()
    elif item.user_id != user_id:
        raise UnknownPublicTokenError
    elif item.access_token_hash != token_hash:
        item.access_token_sealed, item.access_token_hash = sealed, token_hash
        item.token_generation += 1


def _add_tag(
    session: Session, item_id: str, product: str, link_session_id: uuid.UUID | None
) -> None:
    """Add the product's tag; a product that the session did not ask for still needs consent."""
    link = session.get(LinkSession, link_session_id) if link_session_id else None
    consented = link is None or product in link.products
    state = ProductState.REQUESTED if consented else ProductState.CONSENT_NEEDED
    is_new = ItemProduct.add(session, item_id, product, state, None)
    if is_new and consented and product in sync_item.SYNCED_PRODUCTS:
        sync_item.request(session, item_id, "exchange")


def _compensate(
    runtime: Runtime, token_hash: str, told: TokenExchanged, error: SQLAlchemyError
) -> None:
    """Undo at Plaid what could not be stored, once a fresh connection proves that it was not.

    A connection lost at COMMIT may have committed. Where the database can't be asked, the claim
    stays and is tried again at the next start. Errors: `DatabaseLostError`, unless it was stored.
    """
    runtime.database.engine.dispose()
    try:
        with runtime.database.session() as session:
            if Item.find(session, told.item_id) is not None:
                return
    except SQLAlchemyError:
        raise DatabaseLostError from error
    runtime.plaid.item_remove(told.access_token)
    with runtime.database.session() as session:
        ExchangeClaim.release(session, token_hash)
    raise DatabaseLostError(
        "The Item could not be stored, so it was removed at Plaid again. Open Link once more."
    ) from error


def retry_left_over_claims(runtime: Runtime) -> None:
    """Finish the exchanges that a crash cut off between the claim and our commit."""
    at = clock.now()
    with runtime.database.session() as session:
        ExchangeClaim.wipe_old(session, at)
        claims = ExchangeClaim.left_over(session, at, CLAIMS_RETRIED_MAX)
        names = {claim.user_id: session.get_one(User, claim.user_id).name for claim in claims}
    for claim in claims:
        _retry(runtime, claim, names[claim.user_id])


def _retry(runtime: Runtime, claim: ExchangeClaim, user_name: str) -> None:
    token_hash = claim.public_token_hash
    public_token = runtime.keyring.open(claim.public_token_sealed or "", token_hash)
    linker = Linker(user_name, claim.user_id, claim.link_session_id)
    if clock.now() - claim.created_at > 2 * PUBLIC_TOKEN_LIFETIME:
        with runtime.database.session() as session:
            ExchangeClaim.mark_possible_orphan(session, token_hash)
        return
    attempt = _claim(runtime, public_token, claim.product, linker)
    if attempt is None:
        return
    try:
        _spend(runtime, public_token, claim.product, linker, attempt)
    except BankloomError as error:
        log.warning("An exchange that was cut off could not be finished yet: %s", error.message)
