"""Link, exchange, sync, investments, liabilities, a webhook and an error, by plaid-python.

Usage: python flow.py URL CLIENT_ID; prints what it saw as JSON, and fails where anything is amiss. It
needs plaid-python and PyJWT, nothing of Platypus: so it runs under any version of the client.
"""

import hashlib
import hmac
import json
import queue
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import plaid
from plaid.api import plaid_api
from plaid.model.accounts_get_request import AccountsGetRequest
from plaid.model.country_code import CountryCode
from plaid.model.investments_holdings_get_request import InvestmentsHoldingsGetRequest
from plaid.model.investments_transactions_get_request import InvestmentsTransactionsGetRequest
from plaid.model.item_get_request import ItemGetRequest
from plaid.model.item_public_token_exchange_request import ItemPublicTokenExchangeRequest
from plaid.model.liabilities_get_request import LiabilitiesGetRequest
from plaid.model.link_token_create_request import LinkTokenCreateRequest
from plaid.model.link_token_create_request_user import LinkTokenCreateRequestUser
from plaid.model.products import Products
from plaid.model.sandbox_item_reset_login_request import SandboxItemResetLoginRequest
from plaid.model.transactions_sync_request import TransactionsSyncRequest
from plaid.model.webhook_verification_key_get_request import WebhookVerificationKeyGetRequest

PAGE = 20
WAIT_SECONDS = 10
MAX_AGE_SECONDS = 300  # as Plaid says
Rows = dict[str, Any]


class Webhook:
    """One POST: its Plaid-Verification header and its raw body."""

    def __init__(self, token: str, body: bytes) -> None:
        self.token, self.body = token, body
        self.json = json.loads(body)


class Flow:
    """A client of Plaid's, the control API of its world, and a place for its webhooks."""

    def __init__(self, client: Any, url: str, client_id: str) -> None:
        self._client, self._url, self._client_id = client, url, client_id
        self._webhooks: queue.Queue[Webhook] = queue.Queue()
        self.rows: Rows = {}

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Do what a person, a bank or bad luck would do: Platypus' control API."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self._url}/platypus{path}",
            json.dumps(body or {}).encode(),
            {"PLAID-CLIENT-ID": self._client_id},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            fields: dict[str, Any] = json.load(answer)
            return fields

    @contextmanager
    def receiving(self) -> Iterator[str]:
        """Listen for webhooks and give the URL for them."""
        webhooks = self._webhooks

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                webhooks.put(Webhook(self.headers["Plaid-Verification"], body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.05,))
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/"
            finally:
                server.shutdown()
                thread.join()

    def next_webhook(self, code: str) -> Webhook:
        """Wait for the next webhook with that code."""
        while True:
            found = self._webhooks.get(timeout=WAIT_SECONDS)
            if found.json["webhook_code"] == code:
                return found

    def genuine(self, token: str, body: bytes) -> bool:
        """Verify as https://plaid.com/docs/api/webhooks/webhook-verification/ says."""
        header = jwt.get_unverified_header(token)
        assert header["alg"] == "ES256"
        request = WebhookVerificationKeyGetRequest(key_id=header["kid"])
        key = self._client.webhook_verification_key_get(request).key.to_dict()
        public = jwt.PyJWK({name: key[name] for name in ("kty", "crv", "x", "y")}, "ES256")
        claims = jwt.decode(token, public.key, algorithms=["ES256"])
        assert abs(time.time() - claims["iat"]) < MAX_AGE_SECONDS
        return hmac.compare_digest(hashlib.sha256(body).hexdigest(), claims["request_body_sha256"])

    def link(self, webhook: str) -> tuple[str, str]:
        """Go through Link and return the access token and the Item's id."""
        made = self._client.link_token_create(
            LinkTokenCreateRequest(
                client_name="Flow",
                language="en",
                country_codes=[CountryCode("US")],
                user=LinkTokenCreateRequestUser(client_user_id="person-1"),
                products=[
                    Products("transactions"), Products("investments"), Products("liabilities")
                ],
                webhook=webhook,
            )
        )  # fmt: skip
        done = self.control("POST", "/link/complete", {"link_token": made.link_token})
        request = ItemPublicTokenExchangeRequest(public_token=done["public_token"])
        exchanged = self._client.item_public_token_exchange(request)
        return exchanged.access_token, exchanged.item_id

    def sync(self, access_token: str, cursor: str = "") -> tuple[str, int]:
        """Take every change since a cursor, page by page; return the new cursor, and how many."""
        pages, more = 0, True
        while more:
            page = self._client.transactions_sync(
                TransactionsSyncRequest(access_token=access_token, cursor=cursor, count=PAGE)
            )
            self.rows |= {row.transaction_id: row for row in [*page.added, *page.modified]}
            for gone in page.removed:
                del self.rows[gone.transaction_id]
            cursor, more, pages = page.next_cursor, page.has_more, pages + 1
        return cursor, pages

    def compare(self, item_id: str) -> None:
        """Hold the rows against what a correct client must hold."""
        owed = self.control("GET", f"/ledger/{item_id}")["transactions"]
        assert _essence(each.to_dict() for each in self.rows.values()) == _essence(owed)

    def refusal(self, call: Callable[[], object]) -> list[Any]:
        """Return the error of a refused call: Plaid's own fields are JSON in its body."""
        try:
            call()
        except plaid.ApiException as error:
            body = json.loads(error.body)
            return [error.status, body["error_type"], body["error_code"]]
        raise AssertionError("the call was answered")

    def run(self, webhook: str) -> dict[str, Any]:
        """Go the whole way and return what was seen."""
        client = self._client
        self.control(
            "POST", "/settings", {"initial_update_seconds": 0, "historical_update_seconds": 0}
        )
        access, item_id = self.link(webhook)
        cursor, pages = self.sync(access)
        self.compare(item_id)

        accounts = client.accounts_get(AccountsGetRequest(access_token=access)).accounts
        held = client.investments_holdings_get(InvestmentsHoldingsGetRequest(access_token=access))
        traded = client.investments_transactions_get(
            InvestmentsTransactionsGetRequest(
                access_token=access, start_date=date(2000, 1, 1), end_date=date(2100, 1, 1)
            )
        )
        securities = {each.security_id for each in held.securities}
        assert {each.security_id for each in held.holdings} <= securities
        owing = client.liabilities_get(LiabilitiesGetRequest(access_token=access)).liabilities

        coffee = {"amount": 4.5, "name": "Coffee"}
        self.control("POST", f"/items/{item_id}/changes", {"added": [coffee]})
        told = self.next_webhook("SYNC_UPDATES_AVAILABLE")
        assert told.json["item_id"] == item_id
        assert self.genuine(told.token, told.body)
        assert not self.genuine(told.token, told.body.replace(item_id.encode(), b"another"))
        cursor, _ = self.sync(access, cursor)
        self.compare(item_id)

        client.sandbox_item_reset_login(SandboxItemResetLoginRequest(access_token=access))
        broken = self.next_webhook("ERROR")
        assert self.genuine(broken.token, broken.body)
        nobody = ItemGetRequest(access_token="access-sandbox-of-nobody")
        return {
            "pages": pages,
            "accounts": len(accounts),
            "transactions": len(self.rows),
            "holdings": len(held.holdings),
            "trades": traded.total_investment_transactions,
            "liabilities": sorted(kind for kind, owed in owing.to_dict().items() if owed),
            "webhook": broken.json["error"]["error_code"],
            "errors": [
                self.refusal(lambda: self.sync(access, cursor)),
                self.refusal(lambda: client.item_get(nobody)),
            ],
        }


def _essence(rows: Any) -> dict[str, tuple[Any, ...]]:
    """Return of each row what every version of the client knows."""
    names = ("account_id", "amount", "date", "name", "pending", "pending_transaction_id")
    return {
        row["transaction_id"]: tuple(str(row[name]).removesuffix(".0") for name in names)
        for row in rows
    }


def main(url: str, client_id: str) -> None:
    """Run the flow against a server."""
    keys = {"clientId": client_id, "secret": "any secret will do"}
    with plaid.ApiClient(plaid.Configuration(host=url, api_key=keys)) as client:
        flow = Flow(plaid_api.PlaidApi(client), url, client_id)
        with flow.receiving() as webhook:
            seen = flow.run(webhook)
    sys.stdout.write(json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
