"""Every request has an id, in its answer and on the lines that it causes in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bankloom.services.plaid_client import PlaidClient
from harness import wait_until

if TYPE_CHECKING:
    import io

    from harness import Api

HEADER = "X-Request-Id"


def break_plaid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an endpoint meet what nobody has thought of."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlaidClient, "link_token_create", broken)


def test_an_unexpected_error_can_be_found_in_the_log(
    api: Api, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id of a 500's answer stands on the line of the log that has the traceback."""
    break_plaid(monkeypatch)
    answer = api.post("/plaid/link-token", user_id="ada")
    assert answer.status_code == 500
    wait_until(lambda: "    ZeroDivisionError" in log.getvalue())  # the answer comes first
    (line,) = (line for line in log.getvalue().splitlines() if "Exception in ASGI" in line)
    assert f"request={answer.headers[HEADER]} : " in line


def test_a_caller_may_choose_the_id(api: Api) -> None:
    """A proxy's id is taken over, on success and on refusal."""
    for path, status in (("/healthz", 200), ("/nowhere", 404)):
        answer = api.client.get(path, headers={HEADER: "proxy-0.1_2"})
        assert (answer.status_code, answer.headers[HEADER]) == (status, "proxy-0.1_2")


@pytest.mark.parametrize("given", ["", "two words", "a" * 65, "é", 'run="1"'])
def test_an_id_that_may_not_stand_in_a_log_is_replaced(api: Api, given: str) -> None:
    """Too long, or more than one plain word: the request gets an id of our own."""
    answer = api.client.get("/healthz", headers={HEADER.encode(): given.encode()})
    assert len(answer.headers[HEADER]) == 32


def test_no_two_requests_share_an_id(api: Api) -> None:
    """Requests over one connection have ids of their own."""
    assert api.get("/healthz").headers[HEADER] != api.get("/healthz").headers[HEADER]
