"""Reading requests: JSON into typed Structs, refusals in Plaid's words."""

import re
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from platypus_bank.errors import InvalidBody, InvalidField, MissingFields, UnknownFields
from platypus_bank.exact_json import decode

R = TypeVar("R", bound="PlaidRequest")
Count = Annotated[int, Meta(ge=1, le=500)]
Days = Annotated[int, Meta(ge=1, le=730)]
Date = Annotated[str, Meta(pattern=r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
Url = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+([/?#]\S*)?$", max_length=2048)]
CountryCode = Literal[
    "US", "GB", "ES", "NL", "FR", "IE", "CA", "DE", "IT", "PL",
    "DK", "NO", "SE", "EE", "LT", "LV", "PT", "BE", "AT", "FI",
]  # fmt: skip
Countries = Annotated[list[CountryCode], Meta(min_length=1)]
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>.*)`)?$", re.DOTALL)


class PlaidRequest(Struct, kw_only=True):
    """What every Plaid request may carry: the credentials, which are checked and dropped."""

    client_id: str | None = None
    secret: str | None = None


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
    missing, unknown = _compare(kind, fields, "")
    if missing:
        raise MissingFields(missing)
    if unknown:
        raise UnknownFields(unknown)
    try:
        return msgspec.convert(fields, kind)
    except msgspec.ValidationError as problem:
        raise InvalidField(_explain(str(problem))) from problem


def _compare(
    kind: type[Struct], fields: dict[str, Any], prefix: str
) -> tuple[list[str], list[str]]:
    known = {field.name: field for field in msgspec.structs.fields(kind)}
    missing = [prefix + name for name in known if known[name].required and name not in fields]
    unknown = [prefix + name for name in fields if name not in known]
    for name, value in fields.items():
        nested = _struct_in(known[name].type) if name in known else None
        if nested and isinstance(value, dict):
            below = _compare(nested, value, f"{prefix}{name}.")
            missing += below[0]
            unknown += below[1]
    return missing, unknown


def _struct_in(kind: Any) -> type[Struct] | None:  # noqa: ANN401 - type expressions have no type
    if get_origin(kind) in (Union, UnionType):
        return next((found for each in get_args(kind) if (found := _struct_in(each))), None)
    return kind if isinstance(kind, type) and issubclass(kind, Struct) else None


def _explain(problem: str) -> str:
    parts = _AT.match(problem)
    if parts is None or not parts["path"]:
        return problem
    return f"{parts['path']} is invalid: {parts['what'][:1].lower()}{parts['what'][1:]}"
