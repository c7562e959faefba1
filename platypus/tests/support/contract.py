"""Every answer that a test gets is held against Plaid's own OpenAPI file, where that is at hand.

The file is not ours to ship. It is github.com/plaid/plaid-openapi, `2020-09-14.yml`; put its path
into PLAID_OPENAPI_FILE. Without it nothing is held against it, and the run's last lines say so.
"""

import os
from collections import Counter
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from documented_codes import NOT_TO_BE_HAD, TYPE_OF
from platypus_bank.plaid_door import ENDPOINTS

_BESIDE_THE_CHECKOUT = Path(__file__).parents[4] / "shared/reference/plaid-openapi-2020-09-14.yml"
FILE = Path(os.environ.get("PLAID_OPENAPI_FILE", _BESIDE_THE_CHECKOUT))
_ROWS_MAX = 20  # of a page, evenly taken: they differ in nothing that a schema knows


class Contract:
    """Plaid's OpenAPI file, and which answers were held against it: (path, outcome)."""

    def __init__(self) -> None:
        self.cases: Counter[tuple[str, str]] = Counter()

    def hold(self, path: str, status: int, body: dict[str, Any]) -> None:
        """Raise AssertionError where an answer of `path` is not as the file says."""
        outcome = str(body.get("error_code", "")) or "ok"
        self.cases[path, outcome] += 1
        if not FILE.exists():
            return
        problems = sorted(self._validator(path, status).iter_errors(_sample(body)), key=str)
        assert not problems, "\n".join(
            f"{path}: {problem.json_path}: {problem.message[:300]}" for problem in problems
        )

    def hold_type(self, path: str, media_type: str) -> None:
        """Raise AssertionError where a good answer of `path` is of another type than the file says."""
        self.cases[path, "ok"] += 1
        if FILE.exists():
            known = self._file["paths"][path]["post"]["responses"]["200"]["content"]
            assert media_type in known, f"{path}: {media_type}"

    def summary(self) -> str:
        """Say how much was held against the file, or that there was none."""
        cases = {case for case in self.cases if case[0] in ENDPOINTS}
        silent = sorted(ENDPOINTS.keys() - {path for path, _ in cases})
        told = (
            f"Platypus: {len(ENDPOINTS) - len(silent)} of its {len(ENDPOINTS)} endpoints answered,"
            f" in {len(cases)} different ways (ok, or an error code), {self.cases.total()} times"
            + "".join(f", not {each}" for each in silent)
            + f"; {self._told_of_codes()}"
        )
        if FILE.exists():
            return f"{told}; each was as {FILE.name} says."
        return f"{told}. NOT held against Plaid's OpenAPI file, for there is no {FILE}."

    def _told_of_codes(self) -> str:
        given = {outcome for _, outcome in self.cases}
        return (
            f"{len(TYPE_OF.keys() & given)} documented error codes produced of {len(TYPE_OF)}, "
            f"{len(NOT_TO_BE_HAD)} of which are not to be had"
        )

    def paths(self) -> list[str]:
        """Return Plaid's endpoints, all of which the emulator knows at least by name."""
        return sorted(self._file["paths"]) if FILE.exists() else []

    def request(self, path: str) -> dict[str, Any]:
        """Return what a request of `path` has to be, with every `$ref` and `allOf` resolved."""
        schema = self._file["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        return self._resolved(schema["schema"])

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            named = self._file["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return self._resolved(named)
        whole = {name: each for name, each in schema.items() if name not in ("allOf", "anyOf")}
        for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
            known = self._resolved(part)
            properties = known.get("properties", {}) | whole.get("properties", {})
            whole = known | whole | ({"properties": properties} if properties else {})
        properties = whole.get("properties", {})
        whole |= {"properties": {name: self._resolved(properties[name]) for name in properties}}
        if "items" in whole:
            whole["items"] = self._resolved(whole["items"])
        return (
            whole if whole["properties"] else {n: v for n, v in whole.items() if n != "properties"}
        )

    @cached_property
    def _file(self) -> dict[str, Any]:
        loaded: dict[str, Any] = yaml.load(FILE.read_text(), Loader=yaml.CSafeLoader)
        whole: dict[str, Any] = _with_null(loaded)
        return whole

    @cached_property
    def _registry(self) -> Registry[Any]:
        resource: Resource[Any] = DRAFT4.create_resource(self._file)
        registry: Registry[Any] = Registry().with_resource("plaid", resource)
        return registry

    def _validator(self, path: str, status: int) -> OAS30Validator:
        if status == 200 and path in self._file["paths"]:
            answers = self._file["paths"][path]["post"]["responses"]
            schema = answers["200"]["content"]["application/json"]["schema"]["$ref"]
        else:
            schema = "#/components/schemas/PlaidError"
        wanted = {"$ref": f"plaid{schema}"}
        return OAS30Validator(wanted, registry=self._registry, format_checker=oas30_format_checker)


def _with_null(schema: Any) -> Any:
    """Let null be null where a schema is nullable and of other schemas, as Plaid's clients read it.

    Word for word (OpenAPI 3.0.3, "Schema Object") `nullable` is without effect there. What is for
    people to read is left out: it is most of the file.
    """
    if isinstance(schema, list):
        return [_with_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        name: _with_null(each)
        for name, each in schema.items()
        if not (name == "description" and isinstance(each, str)) and not str(name).startswith("x-")
    }
    if inner.get("nullable") is True and "allOf" in inner:
        return {"anyOf": [{**inner, "nullable": False}, {"nullable": True, "enum": [None]}]}
    return inner


def _sample(value: Any) -> Any:
    """Return the answer with long lists cut short, its numbers as JSON Schema knows them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _sample(each) for name, each in value.items()}
    if isinstance(value, list):
        step = -(-len(value) // _ROWS_MAX) or 1
        return [_sample(each) for each in value[::step]]
    return value
