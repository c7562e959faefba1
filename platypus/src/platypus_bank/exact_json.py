"""JSON that keeps every number's digits: fractions are Decimal in here and plain numbers outside."""

from decimal import Decimal
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Number = int | Decimal

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def decode(text: bytes | str) -> Any:  # noqa: ANN401 - JSON may hold anything
    """Read JSON text. Raises msgspec.DecodeError when it isn't any."""
    try:
        return _DECODER.decode(text)
    except RecursionError as problem:
        raise msgspec.DecodeError("JSON is nested too deeply") from problem


_DECODERS: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def decode_as(kind: type[T], text: bytes) -> T:
    """Read JSON text we wrote as `kind`; fields typed Any keep their digits too."""
    if kind not in _DECODERS:
        _DECODERS[kind] = msgspec.json.Decoder(kind, float_hook=Decimal)
    found: T = _DECODERS[kind].decode(text)
    return found


def encode(value: object) -> bytes:
    """Write JSON text; msgspec.Raw inside `value` is copied as it stands."""
    return _ENCODER.encode(value)
