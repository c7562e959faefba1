"""/sandbox/*: Items without Link, broken logins, webhooks on demand (https://plaid.com/docs/api/sandbox/)."""

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank import health
from platypus_bank.access import item_of
from platypus_bank.endpoints import Table
from platypus_bank.endpoints.accounts import open_accounts
from platypus_bank.opening import Login, Terms, issue_public_token, open_item
from platypus_bank.products import check_products
from platypus_bank.records import DEFAULT_DAYS_REQUESTED
from platypus_bank.requests import ByAccessToken, Days, Nullable, PlaidRequest, Url
from platypus_bank.seeds.people import GOOD, GOOD_PASSWORD
from platypus_bank.statements import Period, check_dates
from platypus_bank.users import check_user
from platypus_bank.webhooks import outbox
from platypus_bank.webhooks.bodies import webhook
from platypus_bank.webhooks.firable import Code, Kind, Options, fire_on_demand
from platypus_bank.world import World


class TransactionsOptions(Struct, kw_only=True):
    """SandboxPublicTokenCreateRequestOptionsTransactions: bounds of the history."""

    start_date: date | None = None
    end_date: date | None = None
    days_requested: Days = DEFAULT_DAYS_REQUESTED


class PublicTokenOptions(Struct, kw_only=True):
    """SandboxPublicTokenCreateRequestOptions."""

    webhook: Url | None = None
    override_username: Nullable[str] = None
    override_password: Nullable[str] = None
    transactions: Nullable[TransactionsOptions] = None
    statements: Nullable[Period] = None
    income_verification: dict[str, Any] | None = None


class PublicTokenCreate(PlaidRequest, kw_only=True):
    """SandboxPublicTokenCreateRequest."""

    institution_id: str
    initial_products: Annotated[list[str], Meta(min_length=1)]
    options: PublicTokenOptions = field(default_factory=PublicTokenOptions)
    user_token: str | None = None
    user_id: str | None = None


class FireWebhookOptions(Struct, kw_only=True):
    """SandboxItemFireWebhookRequestOptions."""

    new_transactions: Annotated[int, Meta(ge=0)] = 0


class FireWebhook(ByAccessToken, kw_only=True):
    """SandboxItemFireWebhookRequest."""

    webhook_code: Code
    webhook_type: Kind | None = None
    options: FireWebhookOptions = field(default_factory=FireWebhookOptions)


class SetVerificationStatus(ByAccessToken, kw_only=True):
    """SandboxItemSetVerificationStatusRequest."""

    account_id: str
    verification_status: Literal["automatically_verified", "verification_expired"]


def public_token_create(world: World, request: PublicTokenCreate) -> dict[str, Any]:
    """Open an Item as if a person had gone through Link; raises what `open_item` raises."""
    check_user(request.user_id, request.user_token)
    check_products(request.initial_products)
    check_dates(request.initial_products, request.options.statements)
    options = request.options
    bounds = options.transactions or TransactionsOptions()
    login = Login(
        institution_id=request.institution_id,
        username=options.override_username or GOOD,
        password=GOOD_PASSWORD if options.override_password is None else options.override_password,
    )
    terms = Terms(
        products=request.initial_products,
        days_requested=bounds.days_requested,
        start_date=_iso(bounds.start_date),
        end_date=_iso(bounds.end_date),
        statement_dates=None if options.statements is None else options.statements.days(),
        webhook=options.webhook,
    )
    return {"public_token": issue_public_token(world, open_item(world, login, terms)).id}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def item_reset_login(world: World, request: ByAccessToken) -> dict[str, Any]:
    """Break the Item's login: data endpoints answer ItemLoginRequired until update mode."""
    health.break_login(world, item_of(world, request.access_token))
    return {"reset_login": True}


def item_fire_webhook(world: World, request: FireWebhook) -> dict[str, Any]:
    """Send a webhook of the asked-for code; nothing else changes.

    Raises what `fire_on_demand` raises.
    """
    item = item_of(world, request.access_token)
    wanted = Options(request.options.new_transactions)
    fire_on_demand(world, item, request.webhook_code, request.webhook_type, wanted)
    return {"webhook_fired": True}


def item_set_verification_status(world: World, request: SetVerificationStatus) -> dict[str, Any]:
    """End the verification of an account by micro-deposits, well or not, and tell of it.

    Raises InvalidAccountId. Any account will do: none here is waiting for micro-deposits.
    """
    item = item_of(world, request.access_token)
    (account,) = open_accounts(world, item, [request.account_id])
    account.body["verification_status"] = request.verification_status
    world.store.put(account)
    code = request.verification_status.upper()
    outbox.fire(world, item, webhook("AUTH", code, item_id=item.id, account_id=account.id))
    return {}


TABLE: Table = {
    "/sandbox/item/set_verification_status": (SetVerificationStatus, item_set_verification_status),
    "/sandbox/item/fire_webhook": (FireWebhook, item_fire_webhook),
    "/sandbox/public_token/create": (PublicTokenCreate, public_token_create),
    "/sandbox/item/reset_login": (ByAccessToken, item_reset_login),
}
