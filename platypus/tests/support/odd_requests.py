"""Wrong requests, made from the request schemas of Plaid's OpenAPI file: one wrong field each."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from msgspec import Struct

Schema = dict[str, Any]
Place = tuple[str, ...]
_WRONG_TYPE: dict[str, Any] = {
    "string": 12, "integer": "text", "number": "text", "boolean": "text", "array": "text",
    "object": "text",
}  # fmt: skip
_NO_FORMAT = {
    "date": ("2026-02-31", "yesterday"),
    "date-time": ("2026-02-31T00:00:00Z", "yesterday"),
    "url": ("no URL",),
}
_GOOD: dict[str, Any] = {
    "string": "text", "integer": 1, "number": 1, "boolean": True, "array": [], "object": {},
}  # fmt: skip


class Odd(Struct, frozen=True):
    """A request with one wrong field: which one, what is wrong with it, and the whole body."""

    field: str
    wrong: str
    body: dict[str, Any]


def odd_requests(schema: Schema, good: dict[str, Any]) -> Iterator[Odd]:
    """Return every wrong request of a schema, made from a good one."""
    for place, known, is_required in _fields(schema, ()):
        for wrong, value in _wrong_values(known):
            yield Odd(".".join(place), wrong, _with(schema, good, place, value))
        if is_required:
            yield Odd(".".join(place), "missing", _without(schema, good, place))
    for place in ((), *(place for place, known, _ in _fields(schema, ()) if "properties" in known)):
        unknown = (*place, "colour")
        yield Odd(".".join(unknown), "unknown", _with(schema, good, unknown, "blue"))


def _fields(schema: Schema, above: Place) -> Iterator[tuple[Place, Schema, bool]]:
    for name, known in schema.get("properties", {}).items():
        if name in ("client_id", "secret") and not above:
            continue
        place = (*above, name)
        yield place, known, name in schema.get("required", ())
        yield from _fields(known, place)
        if known.get("type") == "array":
            yield (*place, "0"), known["items"], False
            yield from _fields(known["items"], (*place, "0"))


def _wrong_values(known: Schema) -> Iterator[tuple[str, Any]]:
    kind = known["type"]
    yield "type", _WRONG_TYPE[kind]
    if not known.get("nullable"):
        yield "null", None
    if "enum" in known:
        yield "enum", "no-such-value"
    if kind == "integer":
        yield "fraction", 1.5
    yield from _beyond_bounds(known)
    for value in _NO_FORMAT.get(known.get("format", ""), ()):
        yield f"format ({value})", value


def _beyond_bounds(known: Schema) -> Iterator[tuple[str, Any]]:
    if "minimum" in known:
        yield "minimum", known["minimum"] - 1
    if "maximum" in known:
        yield "maximum", known["maximum"] + 1
    if known.get("minLength"):
        yield "minLength", ""
    if "maxLength" in known:
        yield "maxLength", "x" * (known["maxLength"] + 1)
    if known.get("minItems"):
        yield "minItems", []
    if "maxItems" in known:
        yield "maxItems", [example(known["items"])] * (known["maxItems"] + 1)


def example(known: Schema) -> Any:
    """Return the least that is as a schema says."""
    if "enum" in known:
        return known["enum"][0]
    if known.get("format") in ("date", "date-time"):
        return "2026-01-01" + ("T00:00:00Z" if known["format"] == "date-time" else "")
    if known["type"] == "object":
        return {
            name: example(each)
            for name, each in known.get("properties", {}).items()
            if name in known.get("required", ())
        }
    return deepcopy(_GOOD[known["type"]])


def _with(schema: Schema, good: dict[str, Any], place: Place, value: Any) -> dict[str, Any]:
    body = deepcopy(good)
    parent = _parent(schema, body, place)
    if isinstance(parent, list):
        parent[:1] = [value]
    else:
        parent[place[-1]] = value
    return body


def _without(schema: Schema, good: dict[str, Any], place: Place) -> dict[str, Any]:
    body = deepcopy(good)
    del _parent(schema, body, place)[place[-1]]
    return body


def _parent(schema: Schema, body: Any, place: Place) -> Any:
    """Return what a field stands in, which is made where the good request has none of it."""
    known, found = schema, body
    for name in place[:-1]:
        known = known["items"] if name == "0" else known["properties"][name]
        if name == "0":
            if not found:
                found.append(example(known))
            found = found[0]
        else:
            if found.get(name) is None:
                found[name] = example(known)
            found = found[name]
    if isinstance(found, dict) and place[-1] in known.get("required", ()):
        found.setdefault(place[-1], example(known["properties"][place[-1]]))
    return found
