"""Refusals every endpoint shares, in Plaid's words."""

import json
from typing import Any

import pytest

from platypus_bank.testing import Control


def test_the_error_body_has_plaids_keys(api: Any) -> None:
    refused = api.post("/item/get", access_token="nonsense")
    assert set(refused.body) == {
        "display_message", "documentation_url", "error_code", "error_message", "error_type",
        "request_id", "suggested_action",
    }  # fmt: skip
    assert refused["documentation_url"] == "https://plaid.com/docs/?ref=error#invalid-input-errors"


def test_keys_are_wanted_in_headers_or_body(api: Any) -> None:
    api.headers = {}
    refused = api.post("/institutions/get", count=1, offset=0, country_codes=["US"])
    assert refused.error == (400, "INVALID_INPUT", "INVALID_API_KEYS")
    assert refused["error_message"] == "invalid client_id or secret provided"
    answer = api.post(
        "/institutions/get", count=1, offset=0, country_codes=["US"], client_id="a", secret="b"
    )
    assert answer.status == 200
    empty = api.post(
        "/institutions/get", count=1, offset=0, country_codes=["US"], client_id="a", secret=""
    )
    assert empty["error_code"] == "INVALID_API_KEYS"


def test_a_secret_is_rotated_as_in_the_dashboard(api: Any, bank: Any) -> None:
    """Any secret will do until some are named; both are good until the old one is deleted."""
    ask = {"count": 1, "offset": 0, "country_codes": ["US"], "client_id": "me"}
    api.headers = {}
    for named, good in (
        (None, ["old", "new"]),
        (["old"], ["old"]),
        (["old", "new"], ["old", "new"]),
        (["new"], ["new"]),
        ([], []),
    ):
        Control(bank.url, "me").settings(secrets=named)
        for secret in ("old", "new"):
            answer = api.post("/institutions/get", **ask, secret=secret)
            refused = (400, "INVALID_INPUT", "INVALID_API_KEYS")
            assert answer.status == 200 if secret in good else answer.error == refused
    Control(bank.url, "me").settings(secrets=None)


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"text"'])
def test_a_body_that_is_no_object(api: Any, body: bytes) -> None:
    refused = api.send("/item/get", body)
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_BODY")
    assert refused["error_message"] == "body could not be parsed as JSON"


def test_unknown_fields_are_named(api: Any) -> None:
    access, _ = api.item()
    refused = api.sync(access, colour="blue", options={"size": 1})
    assert refused.error == (400, "INVALID_REQUEST", "UNKNOWN_FIELDS")
    assert refused["error_message"] == (
        "the following fields are not recognized by this endpoint: colour, options.size"
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"count": 0},
        {"count": 501},
        {"count": "10"},
        {"options": None},
        {"cursor": None},
        {"cursor": "A" * 257},
        {"options": {"days_requested": 731}},
    ],
)
def test_sync_fields_are_checked(api: Any, fields: dict[str, Any]) -> None:
    access, _ = api.item()
    refused = api.post("/transactions/sync", access_token=access, **fields)
    assert refused.error == (400, "INVALID_REQUEST", "INVALID_FIELD")


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_unknown_paths(api: Any, method: str) -> None:
    refused = api.send("/no/such/path", b"{}", method)
    assert refused.error == (404, "INVALID_REQUEST", "NOT_FOUND")
    assert len(refused["request_id"]) == 15


def test_institutions(api: Any) -> None:
    us = {"country_codes": ["US"]}
    refused = api.post("/institutions/get_by_id", institution_id="ins_0", **us)
    assert refused.error == (400, "INVALID_INPUT", "INVALID_INSTITUTION")
    abroad = api.post("/institutions/get_by_id", institution_id="ins_43", **us)
    assert abroad["error_code"] == "INVALID_INSTITUTION"
    with_auth = api.post("/institutions/search", query="platypus", products=["liabilities"], **us)
    assert with_auth["institutions"]
    assert all("liabilities" in each["products"] for each in with_auth["institutions"])


def test_secrets_are_neither_stored_nor_logged(api: Any, bank: Any) -> None:
    api.headers = {}
    keys = {"client_id": "visible-client", "secret": "hush-hush-hush"}
    api.post("/item/get", access_token="nonsense", **keys)
    api.post(
        "/link/token/create", client_name="a", language="en", country_codes=["US"],
        user={"client_user_id": "1"}, products=["auth"], **keys,
    )  # fmt: skip
    calls = Control(bank.url, "visible-client").calls()
    assert len(calls) == 2
    assert "hush" not in json.dumps(calls)
    files = [each for each in bank.data_dir.rglob("*") if each.is_file()]
    assert len(files) > 1
    assert not any(b"hush-hush" in each.read_bytes() for each in files)
