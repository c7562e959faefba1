"""Whether Plaid's webhooks find this service: the doctor sends one through the public URL."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bankloom.services.doctor.findings import Finding, failure, ok, warning
from bankloom.services.webhooks import self_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bankloom.services.runtime import Runtime


def look(runtime: Runtime) -> Iterator[Finding]:
    """Send a webhook of our own the way Plaid's come. Errors: `ConfigurationError` where none answers."""
    url = runtime.settings.public_url
    if url is None:
        yield warning(
            "webhooks",
            "BANKLOOM_PUBLIC_URL is unset: no webhooks come, and Items are polled",
            "Set it to how Plaid reaches this service, if Plaid can.",
        )
        return
    yield _arrival(url, self_test.knock(runtime, url))
    if urlsplit(url).scheme != "https":
        yield warning("webhooks", f"{url} is not encrypted", "Put TLS in front, and use https.")


def _arrival(url: str, arrival: self_test.Arrival) -> Finding:
    if arrival.was_stored:
        return ok("webhooks", f"One that was sent to {url} arrived here")
    if arrival.status == self_test.OK:
        return failure(
            "webhooks",
            f"{url} leads to another Bankloom, with another database",
            "Correct BANKLOOM_PUBLIC_URL, or the proxy behind it.",
        )
    return failure(
        "webhooks",
        f"{url}/plaid/webhook answered HTTP {arrival.status} to a good webhook",
        "See to it that the URL leads to this service without a redirect or a login in between.",
    )
