"""Reading requests: JSON into typed Structs, refusals in Plaid's words."""

import re
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct, field

from platypus_bank.errors import InvalidBody, InvalidField, MissingFields, UnknownFields
from platypus_bank.exact_json import decode

R = TypeVar("R", bound="PlaidRequest")
T = TypeVar("T")
# Where a client may say null. Elsewhere a default of None means that the field was left out, and a
# null is INVALID_FIELD: the OpenAPI file tells which fields are `nullable`.
Nullable = Annotated[T | None, Meta(extra={"nullable": True})]
Count = Annotated[int, Meta(ge=1, le=500)]
Days = Annotated[int, Meta(ge=1, le=730)]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+([/?#]\S*)?$", max_length=2048)]
CountryCode = Literal[
    "US", "GB", "ES", "NL", "FR", "IE", "CA", "DE", "IT", "PL",
    "DK", "NO", "SE", "EE", "LT", "LV", "PT", "BE", "AT", "FI",
]  # fmt: skip
Countries = Annotated[list[CountryCode], Meta(min_length=1)]
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


class PlaidRequest(Struct, kw_only=True):
    """What every Plaid request may carry: the credentials, which are checked and dropped."""

    client_id: Nullable[str] = None
    secret: Nullable[str] = None


class ByAccessToken(PlaidRequest, kw_only=True):
    """A request about one Item."""

    access_token: str


def read_object(body: bytes) -> dict[str, Any]:
    """Return the body's JSON object; raises InvalidBody when it is something else."""
    try:
        fields = decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise InvalidBody from problem
    if not isinstance(fields, dict):
        raise InvalidBody
    return fields


def read_request(kind: type[R], fields: dict[str, Any]) -> R:
    """Return the typed request.

    Raises MissingFields, then UnknownFields, then InvalidField; nested fields are named
    `options.count`.
    """
    flaws = _Flaws()
    _look(kind, fields, "", flaws)
    if flaws.missing:
        raise MissingFields(flaws.missing)
    if flaws.unknown:
        raise UnknownFields(flaws.unknown)
    if flaws.nulls:
        raise InvalidField(f"{flaws.nulls[0]} is invalid: must not be null")
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as problem:
        raise InvalidField(_explain(str(problem))) from problem


class _Flaws(Struct):
    missing: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    nulls: list[str] = field(default_factory=list)


class _Shape(NamedTuple):
    required: bool
    nullable: bool
    nested: type[Struct] | None


@cache
def _shapes(kind: type[Struct]) -> dict[str, _Shape]:
    return {
        each.name: _Shape(each.required, _is_nullable(each.type), _struct_in(each.type))
        for each in msgspec.structs.fields(kind)
    }


def _look(kind: type[Struct], fields: dict[str, Any], prefix: str, flaws: _Flaws) -> None:
    known = _shapes(kind)
    required = [name for name, each in known.items() if each.required]
    flaws.missing += [prefix + name for name in required if name not in fields]
    flaws.unknown += [prefix + name for name in fields if name not in known]
    for name in fields.keys() & known.keys():
        value, nested = fields[name], known[name].nested
        if value is None and not known[name].nullable:
            flaws.nulls.append(prefix + name)
        if nested is None:
            continue
        if isinstance(value, dict):
            _look(nested, value, f"{prefix}{name}.", flaws)
        elif isinstance(value, list):
            for place, each in enumerate(value):
                if isinstance(each, dict):
                    _look(nested, each, f"{prefix}{name}[{place}].", flaws)


def _is_nullable(kind: Any) -> bool:  # noqa: ANN401 - type expressions have no type
    notes = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
    return any(isinstance(each, Meta) and bool(each.extra) for each in notes)


def _struct_in(kind: Any) -> type[Struct] | None:  # noqa: ANN401 - type expressions have no type
    if get_origin(kind) is Annotated:
        return _struct_in(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType, list):
        return next((found for each in get_args(kind) if (found := _struct_in(each))), None)
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _explain(problem: str) -> str:
    parts = _AT.match(problem)
    if parts is None or not parts["path"]:
        return problem
    return f"{parts['path']} is invalid: {parts['what'][:1].lower()}{parts['what'][1:]}"
