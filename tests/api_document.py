"""The API as its own OpenAPI document tells it: every operation, its scopes and all that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METHODS = {"get", "put", "post", "delete", "patch", "head", "options", "trace"}


@dataclass(frozen=True, eq=False)
class Field:
    """Something that an operation takes: a parameter, or a field of its body, nested ones included."""

    place: str
    path: tuple[str, ...]
    schema: dict[str, Any]
    is_list: bool
    is_required: bool

    @property
    def name(self) -> str:
        """What it is called, by which the crawler knows what to put there."""
        return self.path[-1]

    @property
    def is_free_text(self) -> bool:
        """Whether it can name anything at all: no number, date, truth value or one of a few words."""
        options = [each for each in self._options if each.get("type") != "null"]
        return any(
            each.get("type", "string") == "string"
            and not {"enum", "const"} & each.keys()
            and each.get("format") not in {"date", "date-time"}
            for each in options
        )

    @property
    def plain_value(self) -> Any:
        """A value that fits a field which is no free text."""
        schema = self._options[0]
        now = datetime.now(UTC)
        by_format = {"date": now.date().isoformat(), "date-time": now.isoformat()}
        if "enum" in schema:
            return schema["enum"][0]
        if "const" in schema:
            return schema["const"]
        if schema.get("format") in by_format:
            return by_format[schema["format"]]
        return {"boolean": False, "integer": schema.get("minimum", 1), "number": 1}[schema["type"]]

    @property
    def _options(self) -> list[dict[str, Any]]:
        return self.schema.get("anyOf") or self.schema.get("oneOf") or [self.schema]


@dataclass(frozen=True)
class Operation:
    """A method of a path. `scopes` None: it asks for no key."""

    method: str
    path: str
    scopes: tuple[str, ...] | None
    fields: tuple[Field, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def request(self, values: Mapping[Field, Any]) -> dict[str, Any]:
        """Return the arguments of httpx's `request` that send these values."""
        path = self.path
        params: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        body: dict[str, Any] = {}
        for field, value in values.items():
            given = [value] if field.is_list else value
            if field.place == "path":
                path = path.replace(f"{{{field.name}}}", str(value))
            elif field.place == "body":
                _put(body, field.path, given)
            else:
                (params if field.place == "query" else headers)[field.name] = given
        has_body = any(field.place == "body" for field in self.fields)
        more = {"json": body} if has_body else {}
        return {
            "method": self.method, "url": path, "params": params, "headers": headers, **more
        }  # fmt: skip


def _put(body: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    *outer, name = path
    for each in outer:
        body = body.setdefault(each, {})
    body[name] = value


def operations(document: dict[str, Any]) -> list[Operation]:
    """Return every operation of the document."""
    return [
        _operation(document, method, path, told)
        for path, item in document["paths"].items()
        for method, told in item.items()
        if method in METHODS
    ]


def _operation(document: dict[str, Any], method: str, path: str, told: dict[str, Any]) -> Operation:
    security = told.get("security")
    scopes = None if security is None else tuple(s for each in security for s in each["HTTPBearer"])
    fields = [
        Field(
            each["in"],
            (each["name"],),
            *_listed(document, each["schema"]),
            is_required=each.get("required", False),
        )
        for each in told.get("parameters", ())
    ]
    content = told.get("requestBody", {}).get("content", {})
    assert content.keys() <= {"application/json"}, f"{path}: the crawler reads JSON bodies only"
    for media in content.values():
        fields += _body_fields(document, media["schema"], (), is_required=True)
    return Operation(method.upper(), path, scopes, tuple(fields))


def _body_fields(
    document: dict[str, Any], schema: dict[str, Any], path: tuple[str, ...], *, is_required: bool
) -> Iterator[Field]:
    schema, is_list = _listed(document, schema)
    objects = [
        each
        for option in schema.get("anyOf", [schema])
        if "properties" in (each := _resolved(document, option))
    ]
    if not objects:
        assert path, f"a body without fields is nothing that the crawler can read: {schema}"
        yield Field("body", path, schema, is_list, is_required)
        return
    assert not is_list, f"the crawler reads no lists of objects: {path}"
    for each in objects:
        for name, inner in each["properties"].items():
            required = is_required and name in each.get("required", ())
            yield from _body_fields(document, inner, (*path, name), is_required=required)


def _listed(document: dict[str, Any], schema: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    """Return the schema of one value, and whether it stands in a list."""
    schema = _resolved(document, schema)
    for option in schema.get("anyOf", [schema]):
        if option.get("type") == "array":
            return _resolved(document, option["items"]), True
    if "anyOf" in schema:
        schema = schema | {"anyOf": [_resolved(document, each) for each in schema["anyOf"]]}
    return schema, False


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
    return schema
