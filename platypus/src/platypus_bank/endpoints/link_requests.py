"""What may stand in a request to /link/token/* (LinkTokenCreateRequest of the OpenAPI file)."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from platypus_bank.records import DEFAULT_DAYS_REQUESTED
from platypus_bank.requests import Countries, Days, PlaidRequest, Url
from platypus_bank.statements import Period

Language = Literal[
    "da", "nl", "en", "et", "fr", "de", "hi", "it", "lv", "lt", "no", "pl", "pt", "ro", "es",
    "sv", "vi",
]  # fmt: skip


class User(Struct, kw_only=True):
    """LinkTokenCreateRequestUser."""

    client_user_id: Annotated[str, Meta(min_length=1)]
    legal_name: str | None = None
    name: dict[str, Any] | None = None
    phone_number: str | None = None
    phone_number_verified_time: str | None = None
    email_address: str | None = None
    email_address_verified_time: str | None = None
    ssn: str | None = None
    date_of_birth: str | None = None
    address: dict[str, Any] | None = None
    id_number: dict[str, Any] | None = None


class TransactionsOptions(Struct, kw_only=True):
    """LinkTokenTransactions."""

    days_requested: Days = DEFAULT_DAYS_REQUESTED


class Update(Struct, kw_only=True):
    """LinkTokenCreateRequestUpdate."""

    account_selection_enabled: bool = False
    reauthorization_enabled: bool = False
    user: bool = False
    item_ids: list[str] | None = None


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
    products: list[str] | None = None
    required_if_supported_products: list[str] | None = None
    optional_products: list[str] | None = None
    additional_consented_products: list[str] | None = None
    webhook: Url | None = None
    access_token: str | None = None
    redirect_uri: str | None = None
    account_filters: dict[str, Any] | None = None
    transactions: TransactionsOptions = field(default_factory=TransactionsOptions)
    update: Update = field(default_factory=Update)
    institution_id: str | None = None
    institution_data: dict[str, Any] | None = None
    hosted_link: HostedLink | None = None
    link_customization_name: str | None = None
    android_package_name: str | None = None
    appearance_mode: str | None = None
    access_tokens: list[str] | None = None
    auth: dict[str, Any] | None = None
    base_report: dict[str, Any] | None = None
    card_switch: dict[str, Any] | None = None
    cashflow_report: dict[str, Any] | None = None
    consumer_report_permissible_purpose: str | None = None
    cra_enabled: bool | None = None
    cra_options: dict[str, Any] | None = None
    cra_report_parameter: dict[str, Any] | None = None
    credit_partner_insights: dict[str, Any] | None = None
    employment: dict[str, Any] | None = None
    enable_multi_item_link: bool | None = None
    eu_config: dict[str, Any] | None = None
    financekit_supported: bool | None = None
    identity: dict[str, Any] | None = None
    identity_verification: dict[str, Any] | None = None
    income_verification: dict[str, Any] | None = None
    investments: dict[str, Any] | None = None
    investments_auth: dict[str, Any] | None = None
    payment_configuration: dict[str, Any] | None = None
    payment_initiation: dict[str, Any] | None = None
    statements: Period | None = None
    third_party_user_token: str | None = None
    transfer: dict[str, Any] | None = None
    user_token: str | None = None


class LinkTokenGet(PlaidRequest, kw_only=True):
    """LinkTokenGetRequest."""

    link_token: str
