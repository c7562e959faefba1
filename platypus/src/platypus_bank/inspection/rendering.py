"""The pages as HTML: how templates write times, money and addresses, and the headers they go with."""

from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import HTMLResponse, Response

from platypus_bank.html import templates

HOME = "/platypus"
PAGES = HOME + "/pages"
ITEMS = PAGES + "/items"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # Not "no-referrer": with it browsers send forms with an Origin of "null", which the gate refuses.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def page(template: str, status: int = 200, **shown: Any) -> Response:
    """Return one page."""
    text = _TEMPLATES.get_template(f"{template}.html").render(**shown)
    return HTMLResponse(text, status, _HEADERS)


def _address(client_id: str | None, item_id: str | None = None, form: str = "") -> str:
    """Return where a world's or an Item's page is, or one of its forms goes."""
    path = PAGES if form else HOME
    if item_id is not None:
        path = f"{ITEMS}/{quote(item_id, safe='')}"
    if form:
        path += f"/{form}"
    return f"{path}?{urlencode({'client_id': client_id or ''})}"


def _instant(iso: str | None) -> str:
    """Write an instant for a person, to the second."""
    return "" if iso is None else iso[:19].replace("T", " ")


def _money(amount: object, body: dict[str, Any]) -> str:
    """Write an amount with its digits, whatever a test may have put there."""
    currency = body.get("iso_currency_code") or body.get("unofficial_currency_code") or ""
    if isinstance(amount, int | Decimal):
        amount = f"{Decimal(amount):,f}"
    return "" if amount is None else f"{amount} {currency}".rstrip()


_TEMPLATES = templates("platypus_bank.inspection")
_TEMPLATES.filters |= {"instant": _instant, "money": _money}
_TEMPLATES.globals |= {"address": _address}
