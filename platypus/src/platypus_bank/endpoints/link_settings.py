"""What /link/token/create is told about accounts, people and products besides: taken, and checked.

Sources: LinkTokenCreateRequest and the schemas named below, of the OpenAPI file; subtypes that newer
clients of Plaid's know are taken too.
"""

from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from platypus_bank.requests import Nullable

DepositorySubtype = Literal[
    "checking", "savings", "hsa", "cd", "money market", "paypal", "prepaid", "cash management",
    "ebt", "limited purpose checking", "payroll", "all",
]  # fmt: skip
CreditSubtype = Literal["credit card", "charge card", "paypal", "all"]
LoanSubtype = Literal[
    "auto", "business", "commercial", "commercial line of credit", "construction", "consumer",
    "home equity", "home equity loan", "installment", "loan", "mortgage", "overdraft",
    "line of credit", "student", "other", "all",
]  # fmt: skip
InvestmentSubtype = Literal[
    "529", "401a", "401k", "403B", "457b", "brokerage", "cash isa", "crypto exchange",
    "education savings account", "fhsa", "fixed annuity", "gic",
    "health reimbursement arrangement", "hsa", "ira", "isa", "keogh", "lif", "life insurance",
    "line of credit", "lira", "lrif", "lrsp", "mutual fund", "non-custodial wallet",
    "non-taxable brokerage account", "other", "other annuity", "other insurance", "pension",
    "prediction market", "prif", "profit sharing plan", "qshr", "rdsp", "resp", "retirement",
    "rlif", "roth", "roth 401k", "roth 403B", "roth 457b", "roth pension",
    "roth profit sharing plan", "roth thrift savings plan", "rrif", "rrsp", "sarsep", "sep ira",
    "simple ira", "sipp", "stock plan", "thrift savings plan", "tfsa", "trust", "ugma", "utma",
    "variable annuity", "all",
]  # fmt: skip


class DepositoryFilter(Struct, kw_only=True, omit_defaults=True):
    """DepositoryFilter."""

    account_subtypes: list[DepositorySubtype]
    limited_purpose_types: list[Literal["RENT_MORTGAGE"]] | None = None


class CreditFilter(Struct, kw_only=True):
    """CreditFilter."""

    account_subtypes: list[CreditSubtype]


class LoanFilter(Struct, kw_only=True):
    """LoanFilter."""

    account_subtypes: list[LoanSubtype]


class InvestmentFilter(Struct, kw_only=True):
    """InvestmentFilter."""

    account_subtypes: list[InvestmentSubtype]


class OtherFilter(Struct, kw_only=True):
    """OtherAccountFilter."""

    account_subtypes: list[Literal["other", "all"]]


class AccountFilters(Struct, kw_only=True, omit_defaults=True):
    """LinkTokenAccountFilters: a type without a filter is left out, where there is any filter."""

    depository: DepositoryFilter | None = None
    credit: CreditFilter | None = None
    loan: LoanFilter | None = None
    investment: InvestmentFilter | None = None
    other: OtherFilter | None = None


class Name(Struct, kw_only=True):
    """LinkTokenCreateRequestUserName."""

    given_name: str
    family_name: str


class Address(Struct, kw_only=True):
    """UserAddress."""

    country: str
    street: Nullable[str] = None
    street2: Nullable[str] = None
    city: Nullable[str] = None
    region: Nullable[str] = None
    postal_code: Nullable[str] = None


class IdNumber(Struct, kw_only=True):
    """UserIDNumber; its type is a country's abbreviation and a word, `us_ssn`."""

    value: str
    type: Annotated[str, Meta(pattern=r"^[a-z]{2}(_[a-z0-9]+)+$")]


class User(Struct, kw_only=True):
    """LinkTokenCreateRequestUser."""

    client_user_id: Annotated[str, Meta(min_length=1)]
    legal_name: str | None = None
    name: Nullable[Name] = None
    phone_number: str | None = None
    phone_number_verified_time: Nullable[datetime] = None
    email_address: str | None = None
    email_address_verified_time: Nullable[datetime] = None
    ssn: str | None = None
    date_of_birth: Nullable[date] = None
    address: Nullable[Address] = None
    id_number: Nullable[IdNumber] = None


class InstitutionData(Struct, kw_only=True, omit_defaults=True):
    """LinkTokenCreateInstitutionData."""

    routing_number: str | None = None


class Auth(Struct, kw_only=True):
    """LinkTokenCreateRequestAuth."""

    auth_type_select_enabled: bool = False
    automated_microdeposits_enabled: bool = False
    instant_match_enabled: bool = False
    same_day_microdeposits_enabled: bool = False
    instant_microdeposits_enabled: bool = False
    reroute_to_credentials: Literal["OFF", "OPTIONAL", "FORCED"] | None = None
    database_match_enabled: bool = False
    database_insights_enabled: bool = False
    flow_type: Literal["FLEXIBLE_AUTH"] | None = None
    sms_microdeposits_verification_enabled: bool = False


class Identity(Struct, kw_only=True):
    """LinkTokenCreateIdentity."""

    is_document_upload: bool = False
    account_ids: list[str] | None = None
    parsing_configs: list[Literal["ocr", "risk_signals"]] | None = None


class Investments(Struct, kw_only=True):
    """LinkTokenInvestments."""

    allow_unverified_crypto_wallets: bool = False
    allow_manual_entry: bool = False


class InvestmentsAuth(Struct, kw_only=True):
    """LinkTokenInvestmentsAuth."""

    manual_entry_enabled: Nullable[bool] = False
    masked_number_match_enabled: Nullable[bool] = False
    stated_account_number_enabled: Nullable[bool] = False
    rollover_401k_enabled: Nullable[bool] = False
