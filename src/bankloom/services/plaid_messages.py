"""The parts of Plaid's answers that we read, as msgspec types: exact money, tomorrow's fields allowed.

Only what we could not work without is required; enum values stay text, unknown fields are ignored
here and kept in the raw payload. Source: Plaid's OpenAPI spec 2020-09-14, the schemas named below.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from msgspec import Raw, Struct

from bankloom.core.signatures import Jwk


class PlaidErrorBody(Struct):
    """Spec `PlaidError`."""

    error_type: str
    error_code: str
    error_message: str = ""
    display_message: str | None = None
    request_id: str | None = None


class LinkTokenCreated(Struct):
    """Spec `LinkTokenCreateResponse`."""

    link_token: str
    expiration: dt.datetime
    hosted_link_url: str | None = None


class LinkInstitution(Struct):
    """The institution of a finished Link session."""

    institution_id: str | None = None
    name: str | None = None


class LinkAccount(Struct):
    """An account as Link's results name it (spec `LinkSessionSuccessMetadataAccount` and kin)."""

    id: str
    name: str | None = None
    mask: str | None = None
    type: str | None = None
    subtype: str | None = None


class ItemAddResult(Struct):
    """Spec `LinkSessionItemAddResult`."""

    public_token: str
    accounts: list[LinkAccount] = []
    institution: LinkInstitution | None = None


class LinkResults(Struct):
    """Spec `LinkSessionResults`."""

    item_add_results: list[ItemAddResult] | None = None


class LinkSessionInfo(Struct):
    """Spec `LinkTokenGetSessionsResponse`: one passage of a person through Link."""

    finished_at: dt.datetime | None = None
    exit: dict[str, object] | None = None
    results: LinkResults | None = None

    def item_add_results(self) -> list[ItemAddResult]:
        """Return what was linked in it."""
        return (self.results.item_add_results or []) if self.results else []

    @property
    def has_left(self) -> bool:
        """Whether the person left before the end of Link."""
        return self.exit is not None and not self.item_add_results()

    @property
    def got_through(self) -> bool:
        """Whether the person came to the end of Link."""
        return self.finished_at is not None and not self.has_left


class LinkTokenInfo(Struct):
    """Spec `LinkTokenGetResponse`."""

    link_sessions: list[LinkSessionInfo] | None = None

    def item_add_results(self) -> list[ItemAddResult]:
        """Return what was linked in every session of this link token."""
        return [added for each in self.link_sessions or () for added in each.item_add_results()]

    @property
    def got_through(self) -> bool:
        """Whether the person came to the end of Link in one of the sessions."""
        return any(session.got_through for session in self.link_sessions or ())

    @property
    def left_at(self) -> dt.datetime | None:
        """When the person last left before the end, or None."""
        sessions = self.link_sessions or ()
        left = [each.finished_at for each in sessions if each.finished_at and each.has_left]
        return max(left, default=None)

    @property
    def is_under_way(self) -> bool:
        """Whether the person is in Link now, as far as Plaid knows."""
        return any(session.finished_at is None for session in self.link_sessions or ())


class TokenExchanged(Struct):
    """Spec `ItemPublicTokenExchangeResponse`."""

    access_token: str
    item_id: str


class TokenRotated(Struct):
    """Spec `ItemAccessTokenInvalidateResponse`."""

    new_access_token: str


class PlaidItem(Struct):
    """Spec `Item`."""

    item_id: str
    institution_id: str | None = None
    institution_name: str | None = None
    webhook: str | None = None
    error: PlaidErrorBody | None = None
    consent_expiration_time: dt.datetime | None = None
    billed_products: tuple[str, ...] | None = None
    products: tuple[str, ...] | None = None

    @property
    def has_transactions(self) -> bool:
        """Whether Transactions was added to the Item, by whomever: how far back is settled then."""
        return "transactions" in (*(self.products or ()), *(self.billed_products or ()))


class TransactionsStatus(Struct):
    """Spec `ItemStatusTransactions`: when Plaid last reached the bank, and last failed to."""

    last_successful_update: dt.datetime | None = None
    last_failed_update: dt.datetime | None = None


class LastWebhook(Struct):
    """Spec `ItemStatusLastWebhook`."""

    sent_at: dt.datetime | None = None
    code_sent: str | None = None


class ItemStatus(Struct):
    """Spec `ItemStatus`."""

    transactions: TransactionsStatus | None = None
    last_webhook: LastWebhook | None = None


class ItemInfo(Struct):
    """Spec `ItemGetResponse`."""

    item: PlaidItem
    status: ItemStatus | None = None

    @property
    def bank_updated_at(self) -> dt.datetime | None:
        """When Plaid last reached the bank for transactions."""
        updates = self.status and self.status.transactions
        return updates.last_successful_update if updates else None

    @property
    def bank_failed_at(self) -> dt.datetime | None:
        """When Plaid last failed to reach the bank for transactions."""
        updates = self.status and self.status.transactions
        return updates.last_failed_update if updates else None

    @property
    def last_webhook(self) -> LastWebhook:
        """Which webhook of this Item Plaid sent last, and when; nothing where it sent none."""
        return (self.status and self.status.last_webhook) or LastWebhook()


class PlaidInstitution(Struct):
    """Spec `Institution`."""

    institution_id: str
    name: str
    url: str | None = None
    primary_color: str | None = None


class InstitutionInfo(Struct):
    """Spec `InstitutionsGetByIdResponse`; the institution's own JSON is kept as received."""

    institution: Raw


class Balances(Struct):
    """Spec `AccountBalance`."""

    current: Decimal | None = None
    available: Decimal | None = None
    limit: Decimal | None = None
    iso_currency_code: str | None = None
    unofficial_currency_code: str | None = None


class PlaidAccount(Struct):
    """Spec `AccountBase`."""

    account_id: str
    name: str
    type: str
    balances: Balances
    subtype: str | None = None
    official_name: str | None = None
    mask: str | None = None
    persistent_account_id: str | None = None


class AccountsInfo(Struct):
    """Spec `AccountsGetResponse`."""

    accounts: list[Raw]


class Category(Struct):
    """Spec `PersonalFinanceCategory`."""

    primary: str | None = None
    detailed: str | None = None


class PlaidTransaction(Struct):
    """Spec `Transaction`."""

    transaction_id: str
    account_id: str
    amount: Decimal
    date: dt.date
    pending: bool = False
    pending_transaction_id: str | None = None
    iso_currency_code: str | None = None
    unofficial_currency_code: str | None = None
    authorized_date: dt.date | None = None
    name: str | None = None
    merchant_name: str | None = None
    payment_channel: str | None = None
    personal_finance_category: Category | None = None


class RemovedTransaction(Struct):
    """Spec `RemovedTransaction`."""

    transaction_id: str
    account_id: str | None = None


class SyncPage(Struct):
    """Spec `TransactionsSyncResponse`; each transaction's own JSON is kept as received."""

    added: list[Raw]
    modified: list[Raw]
    removed: list[RemovedTransaction]
    next_cursor: str
    has_more: bool
    accounts: list[Raw] = []
    transactions_update_status: str = "TRANSACTIONS_UPDATE_STATUS_UNKNOWN"
    request_id: str | None = None


class WebhookKeyInfo(Struct):
    """Spec `WebhookVerificationKeyGetResponse`."""

    key: Jwk


class Accepted(Struct):
    """Spec `TransactionsRefreshResponse`: nothing but that it was taken."""

    request_id: str | None = None
