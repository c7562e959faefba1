"""Speaks raw JSON to a Platypus, as a client of Plaid's that knows no types."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from contract import Contract
from platypus_bank.testing import Running

CONTRACT = Contract()
KEYS = {"PLAID-CLIENT-ID": "some-client", "PLAID-SECRET": "some-secret"}


@dataclass
class Answer:
    """One answer: HTTP status and JSON with exact numbers."""

    status: int
    body: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    @property
    def error(self) -> tuple[int, str, str]:
        """The status, error_type and error_code of a refusal."""
        return self.status, self.body["error_type"], self.body["error_code"]


@dataclass
class Plaid:
    """Speaks raw JSON to a Platypus."""

    bank: Running
    headers: dict[str, str] = field(default_factory=lambda: dict(KEYS))
    dictates: bool = False
    """Whether the test dictates answers that Plaid does not give today."""

    def post(self, path: str, **body: Any) -> Answer:
        """POST a JSON body; the answer has to be as Plaid's OpenAPI file says."""
        answer = self.send(path, json.dumps(body).encode())
        if not self.dictates:
            CONTRACT.hold(path, answer.status, answer.body)
        return answer

    def send(self, path: str, body: bytes, method: str = "POST") -> Answer:
        """Send any bytes with any method."""
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(self.bank.url + path, body, headers, method=method)  # noqa: S310 - our own server
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
                return Answer(answer.status, _read(answer.read()))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, _read(refusal.read()))

    def download(self, path: str, **body: Any) -> tuple[bytes, dict[str, str]]:
        """POST for an answer that is no JSON: its bytes, and its headers in lower case."""
        headers = {"Content-Type": "application/json", **self.headers}
        request = urllib.request.Request(self.bank.url + path, json.dumps(body).encode(), headers)  # noqa: S310 - our own server
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            CONTRACT.hold_type(path, answer.headers["content-type"])
            return answer.read(), {name.lower(): each for name, each in answer.headers.items()}

    def new_link(self, **fields: Any) -> Answer:
        """Make a link token, and whatever comes with it; `fields` go over sensible ones."""
        body = {
            "client_name": "Tests",
            "language": "en",
            "country_codes": ["US"],
            "user": {"client_user_id": "person-1"},
            "products": ["transactions"],
            "transactions": {"days_requested": 730},
        }
        answer = self.post("/link/token/create", **{**body, **fields})
        assert answer.status == 200, answer.body
        return answer

    def link_token(self, **fields: Any) -> str:
        """Make a link token, as `new_link` does, and return it alone."""
        return str(self.new_link(**fields)["link_token"])

    def item(self, *products: str, **options: Any) -> tuple[str, str]:
        """Open an Item through the Sandbox's short cut: (access_token, item_id).

        `institution` is its bank, First Platypus Bank unless given; options of None are left out.
        """
        bank = options.pop("institution", "ins_109508")
        options.setdefault("transactions", {"days_requested": 730})
        made = self.post(
            "/sandbox/public_token/create",
            institution_id=bank,
            initial_products=list(products) or ["transactions"],
            options={name: value for name, value in options.items() if value is not None},
        )
        assert made.status == 200, made.body
        answer = self.post("/item/public_token/exchange", public_token=made["public_token"])
        return answer["access_token"], answer["item_id"]

    def sync(self, access_token: str, cursor: str = "", **fields: Any) -> Answer:
        """Ask for one page."""
        return self.post("/transactions/sync", access_token=access_token, cursor=cursor, **fields)

    def pull(
        self, access_token: str, cursor: str = "", count: int = 500
    ) -> tuple[str, dict[str, Any]]:
        """Run one whole loop; returns the final cursor and {transaction_id: row or None}."""
        seen: dict[str, Any] = {}
        while True:
            page = self.sync(access_token, cursor, count=count)
            assert page.status == 200, page.body
            apply(page, seen)
            cursor = page["next_cursor"]
            if not page["has_more"]:
                return cursor, seen


def apply(page: Answer, held: dict[str, Any]) -> None:
    """Do with a page what a correct client does; None stands for removed."""
    for row in (*page["added"], *page["modified"]):
        held[row["transaction_id"]] = row
    for row in page["removed"]:
        held[row["transaction_id"]] = None


def _read(text: bytes) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return body
