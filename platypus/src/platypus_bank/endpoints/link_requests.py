"""What may stand in a request to /link/token/* (LinkTokenCreateRequest of the OpenAPI file)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank.endpoints.link_settings import (
    AccountFilters,
    Auth,
    Identity,
    InstitutionData,
    Investments,
    InvestmentsAuth,
    User,
)
from platypus_bank.records import DEFAULT_DAYS_REQUESTED
from platypus_bank.requests import Countries, Days, Nullable, PlaidRequest, Url
from platypus_bank.statements import Period

Language = Literal[
    "da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es",
    "sv", "vi",
]  # fmt: skip
Purpose = Literal[
    "ACCOUNT_REVIEW_CREDIT",
    "ACCOUNT_REVIEW_NON_CREDIT",
    "EXTENSION_OF_CREDIT",
    "LEGITIMATE_BUSINESS_NEED_TENANT_SCREENING",
    "LEGITIMATE_BUSINESS_NEED_OTHER",
    "WRITTEN_INSTRUCTION_PREQUALIFICATION",
    "WRITTEN_INSTRUCTION_OTHER",
    "ELIGIBILITY_FOR_GOVT_BENEFITS",
]


class TransactionsOptions(Struct, kw_only=True):
    """LinkTokenTransactions."""

    days_requested: Days = DEFAULT_DAYS_REQUESTED


class Update(Struct, kw_only=True):
    """LinkTokenCreateRequestUpdate."""

    account_selection_enabled: bool = False
    reauthorization_enabled: bool = False
    user: bool = False
    item_ids: Nullable[list[str]] = None


class HostedLink(Struct, kw_only=True):
    """LinkTokenCreateHostedLink; `delivery_method` is ignored, as in the Sandbox."""

    delivery_method: Literal["sms", "email"] | None = None
    completion_redirect_uri: str | None = None
    url_lifetime_seconds: Annotated[int, Meta(ge=1, le=21 * 86_400)] | None = None
    is_mobile_app: bool = False


class LinkTokenCreate(PlaidRequest, kw_only=True):
    """LinkTokenCreateRequest; settings of products the emulator lacks are taken and ignored."""

    client_name: Annotated[str, Meta(min_length=1, max_length=30)]
    language: Language
    country_codes: Countries
    user: User | None = None
    user_id: str | None = None
    products: Nullable[list[str]] = None
    required_if_supported_products: Nullable[list[str]] = None
    optional_products: Nullable[list[str]] = None
    additional_consented_products: Nullable[list[str]] = None
    webhook: Url | None = None
    access_token: Nullable[Annotated[str, Meta(min_length=1)]] = None
    redirect_uri: str | None = None
    account_filters: AccountFilters | None = None
    transactions: TransactionsOptions = field(default_factory=TransactionsOptions)
    update: Update = field(default_factory=Update)
    institution_id: str | None = None
    institution_data: InstitutionData | None = None
    hosted_link: HostedLink | None = None
    link_customization_name: str | None = None
    android_package_name: str | None = None
    appearance_mode: Nullable[Literal["LIGHT", "DARK", "SYSTEM"]] = None
    access_tokens: list[str] | None = None
    auth: Auth | None = None
    base_report: dict[str, Any] | None = None
    card_switch: dict[str, Any] | None = None
    cashflow_report: dict[str, Any] | None = None
    consumer_report_permissible_purpose: Purpose | None = None
    cra_enabled: bool | None = None
    cra_options: dict[str, Any] | None = None
    cra_report_parameter: dict[str, Any] | None = None
    credit_partner_insights: dict[str, Any] | None = None
    employment: dict[str, Any] | None = None
    enable_multi_item_link: bool | None = None
    eu_config: dict[str, Any] | None = None
    financekit_supported: bool | None = None
    identity: Identity | None = None
    identity_verification: dict[str, Any] | None = None
    income_verification: dict[str, Any] | None = None
    investments: Investments | None = None
    investments_auth: InvestmentsAuth | None = None
    payment_configuration: dict[str, Any] | None = None
    payment_initiation: dict[str, Any] | None = None
    statements: Period | None = None
    third_party_user_token: str | None = None
    transfer: dict[str, Any] | None = None
    user_token: str | None = None


class LinkTokenGet(PlaidRequest, kw_only=True):
    """LinkTokenGetRequest."""

    link_token: str
