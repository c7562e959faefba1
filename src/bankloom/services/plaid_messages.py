"""The parts of Plaid's answers that we read, as msgspec types: exact money, tomorrow's fields allowed.

Only what we could not work without is required; enum values stay text, unknown fields are ignored
here and kept in the raw payload. Source: Plaid's OpenAPI spec 2020-09-14, the schemas named below.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from msgspec import Raw, Struct


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
    """Spec `LinkTokenGetSessionsResponse`."""

    results: LinkResults | None = None


class LinkTokenInfo(Struct):
    """Spec `LinkTokenGetResponse`."""

    link_sessions: list[LinkSessionInfo] | None = None

    def item_add_results(self) -> list[ItemAddResult]:
        """Return what was linked in every session of this link token."""
        results = [session.results for session in self.link_sessions or ()]
        return [added for result in results if result for added in result.item_add_results or ()]


class TokenExchanged(Struct):
    """Spec `ItemPublicTokenExchangeResponse`."""

    access_token: str
    item_id: str


class PlaidItem(Struct):
    """Spec `Item`."""

    item_id: str
    institution_id: str | None = None
    institution_name: str | None = None
    webhook: str | None = None
    error: PlaidErrorBody | None = None
    consent_expiration_time: dt.datetime | None = None


class ItemInfo(Struct):
    """Spec `ItemGetResponse`."""

    item: PlaidItem


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


class Accepted(Struct):
    """Spec `TransactionsRefreshResponse`: nothing but that it was taken."""

    request_id: str | None = None
