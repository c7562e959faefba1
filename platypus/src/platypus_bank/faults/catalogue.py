"""The faults that have names, in one table: GET /platypus/faults/catalogue and the README show it."""

from typing import get_args

from platypus_bank.faults.asked import Parameter
from platypus_bank.faults.named import CallFault, Named, WebhookFault
from platypus_bank.faults.of_calls import of_any_call, of_loops
from platypus_bank.faults.of_clients import of_clients
from platypus_bank.faults.of_items import of_institutions, of_items
from platypus_bank.faults.of_webhooks import of_webhooks

EVERYTHING = "everything"
PUBLISHED_LIMITS = "published_rate_limits"
CALL_FAULTS = {
    each.name: each
    for each in (
        *of_any_call(),
        *of_loops(),
        *of_clients(),
        *of_items(),
        *of_institutions(),
    )
}
WEBHOOK_FAULTS = {each.name: each for each in of_webhooks()}
OF_THE_WORLD = {
    each.name: each
    for each in (
        Named(
            name=PUBLISHED_LIMITS,
            does="429 beyond Plaid's published limits, as by the setting `rate_limits`, which ends it",
        ),
        Named(
            name=EVERYTHING,
            does="one of each that a retrying client survives, with a `chance` (0.05)",
            parameters=get_args(Parameter),
        ),
    )
}


def entries() -> list[Named]:
    """Return everything that can be planted by its name."""
    known = (CALL_FAULTS, WEBHOOK_FAULTS, OF_THE_WORLD)
    return [entry for table in known for entry in table.values()]


def is_survived(entry: Named) -> bool:
    """Tell whether a client that retries, and asks by itself, gets over it: part of `everything`."""
    return isinstance(entry, WebhookFault) or (isinstance(entry, CallFault) and entry.retried)
