"""Every field of every endpoint, as Plaid's OpenAPI file bounds it: a wrong one is refused."""

from typing import Any

import pytest

from contract import FILE
from endpoint_calls import CALLS, filled
from households import Household
from odd_requests import odd_requests
from raw_plaid import CONTRACT

NO_FILE = f"requests are NOT held against Plaid's OpenAPI file, for there is no {FILE}"
EXPECTED = {"missing": {"MISSING_FIELDS"}, "unknown": {"UNKNOWN_FIELDS"}}
# What stands below these fields is taken as it comes: settings of products that are not emulated,
# which nothing here reads.
UNREAD = {
    ("/link/token/create", name)
    for name in (
        "base_report", "card_switch", "cashflow_report", "cra_options", "credit_partner_insights",
        "employment", "eu_config", "identity_verification", "income_verification",
        "payment_configuration", "payment_initiation", "transfer",
    )
} | {("/sandbox/public_token/create", "options.income_verification")}  # fmt: skip


def is_unread(path: str, field: str) -> bool:
    """Tell whether a field stands below one that nobody reads."""
    return any(path == each and field.startswith(f"{name}.") for each, name in UNREAD)


@pytest.mark.skipif(not FILE.exists(), reason=NO_FILE)
@pytest.mark.parametrize("path", sorted(CALLS))
def test_a_wrong_field_is_refused(household: Household, path: str) -> None:
    """One wrong field at a time: another type, null, beyond its bounds, missing, unknown."""
    wrong: dict[str, Any] = {}
    good = filled(CALLS[path].body, household.names)
    for odd in odd_requests(CONTRACT.request(path), good):
        if is_unread(path, odd.field):
            continue
        answer = household.api.post(path, **odd.body)
        code = answer.body.get("error_code", "ok")
        if code not in EXPECTED.get(odd.wrong, {"INVALID_FIELD", "INVALID_PRODUCT"}):
            wrong[f"{odd.field}: {odd.wrong}"] = (code, answer.body.get("error_message"))
    assert not wrong, "\n".join(f"{field}: {told}" for field, told in wrong.items())
