"""/institutions/*: the Sandbox's banks (https://plaid.com/docs/api/institutions/)."""

from typing import Annotated, Any

from msgspec import Meta, Struct, field

from platypus_bank.clock import iso
from platypus_bank.endpoints import Table
from platypus_bank.errors import InvalidInstitution
from platypus_bank.institution_status import status_of
from platypus_bank.products import check_names
from platypus_bank.records import InstitutionStatus
from platypus_bank.requests import Count, Countries, Nullable, PlaidRequest
from platypus_bank.seeds.institutions import Institution, institution, search
from platypus_bank.world import World

Products = Annotated[list[str], Meta(min_length=1)]
_SEARCH_LIMIT = 10
_STATUS_KINDS = (
    "item_logins",
    "transactions_updates",
    "auth",
    "identity",
    "investments",
    "investments_updates",
    "liabilities",
    "liabilities_updates",
)
_SUCCESS = {"HEALTHY": 1, "DEGRADED": 0.5, "DOWN": 0}
_REFRESH = {"HEALTHY": "NORMAL", "DEGRADED": "DELAYED", "DOWN": "STOPPED"}


class _Options(Struct, kw_only=True):
    include_optional_metadata: bool = False
    include_auth_metadata: bool = False
    include_payment_initiation_metadata: bool = False


class ByIdOptions(_Options, kw_only=True):
    """InstitutionsGetByIdRequestOptions."""

    include_status: bool = False


class PaymentInitiation(Struct, kw_only=True):
    """InstitutionsSearchPaymentInitiationOptions, which change nothing here."""

    payment_id: Nullable[str] = None
    consent_id: Nullable[str] = None


class SearchOptions(Struct, kw_only=True):
    """InstitutionsSearchRequestOptions: only here two of them may be null."""

    include_optional_metadata: bool = False
    include_auth_metadata: Nullable[bool] = False
    include_payment_initiation_metadata: Nullable[bool] = False
    oauth: Nullable[bool] = None
    payment_initiation: Nullable[PaymentInitiation] = None


class GetOptions(_Options, kw_only=True):
    """InstitutionsGetRequestOptions."""

    products: Nullable[Products] = None
    routing_numbers: Nullable[list[str]] = None
    oauth: Nullable[bool] = None


class InstitutionsGetById(PlaidRequest, kw_only=True):
    """InstitutionsGetByIdRequest."""

    institution_id: Annotated[str, Meta(min_length=1)]
    country_codes: Countries
    options: ByIdOptions = field(default_factory=ByIdOptions)


class InstitutionsSearch(PlaidRequest, kw_only=True):
    """InstitutionsSearchRequest."""

    query: Annotated[str, Meta(min_length=1)]
    country_codes: Countries
    products: Nullable[Products] = None
    options: SearchOptions = field(default_factory=SearchOptions)


class InstitutionsGet(PlaidRequest, kw_only=True):
    """InstitutionsGetRequest."""

    count: Count
    offset: Annotated[int, Meta(ge=0)]
    country_codes: Countries
    options: GetOptions = field(default_factory=GetOptions)


def institutions_get_by_id(world: World, request: InstitutionsGetById) -> dict[str, Any]:
    """Return one institution; raises InvalidInstitution, also outside the asked countries."""
    found = institution(request.institution_id)
    if not set(found.country_codes) & set(request.country_codes):
        raise InvalidInstitution
    body = _body(found, request.options)
    if request.options.include_status:
        body["status"] = _status(status_of(world, found.institution_id))
    return {"institution": body}


def institutions_search(world: World, request: InstitutionsSearch) -> dict[str, Any]:
    """Return up to ten institutions whose name holds the query; raises InvalidField."""
    del world
    check_names(request.products or [])
    found = search(
        list(request.country_codes),
        query=request.query,
        products=request.products,
        oauth=request.options.oauth,
    )
    return {"institutions": [_body(each, request.options) for each in found[:_SEARCH_LIMIT]]}


def institutions_get(world: World, request: InstitutionsGet) -> dict[str, Any]:
    """Return a page of all institutions, with their total; raises InvalidField."""
    del world
    options = request.options
    check_names(options.products or [])
    found = search(list(request.country_codes), products=options.products, oauth=options.oauth)
    if options.routing_numbers:
        wanted = set(options.routing_numbers)
        found = [each for each in found if wanted & set(each.routing_numbers)]
    page = found[request.offset : request.offset + request.count]
    return {"institutions": [_body(each, options) for each in page], "total": len(found)}


def _body(found: Institution, options: _Options | SearchOptions) -> dict[str, Any]:
    body: dict[str, Any] = {
        "institution_id": found.institution_id,
        "name": found.name,
        "products": found.products,
        "country_codes": found.country_codes,
        "routing_numbers": found.routing_numbers,
        "dtc_numbers": [],
        "oauth": found.oauth,
        "connection_availability": "SUPPORTED" if found.products else "NOT_SUPPORTED",
    }
    if options.include_optional_metadata:
        body |= {"url": "https://plaid.com", "primary_color": found.primary_color, "logo": None}
    if options.include_auth_metadata:
        body["auth_metadata"] = None
    if options.include_payment_initiation_metadata:
        body["payment_initiation_metadata"] = None
    return body


def _status(found: InstitutionStatus) -> dict[str, Any]:
    success = _SUCCESS[found.status]
    breakdown = {
        "success": success,
        "error_plaid": 0,
        "error_institution": 1 - success,
        "refresh_interval": _REFRESH[found.status],
    }
    one = {
        "status": found.status,
        "last_status_change": iso(found.changed_at),
        "breakdown": breakdown,
    }
    return dict.fromkeys(_STATUS_KINDS, one)


TABLE: Table = {
    "/institutions/get_by_id": (InstitutionsGetById, institutions_get_by_id),
    "/institutions/search": (InstitutionsSearch, institutions_search),
    "/institutions/get": (InstitutionsGet, institutions_get),
}
