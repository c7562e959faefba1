"""The rate limits that Plaid publishes, by endpoint: calls a minute for each Item, and in all.

https://plaid.com/docs/errors/rate-limit-exceeded/, as of March 2026. "Not exhaustive", it says there,
and a customer may have others.
"""

from collections.abc import Mapping

from platypus_bank.records import Preset, RateLimit

# path: (Sandbox: Item, client), (Production: Item, client)
_FIGURES: dict[str, tuple[tuple[int | None, int], tuple[int | None, int]]] = {
    "/accounts/balance/get": ((25, 100), (5, 1_200)),
    "/accounts/get": ((100, 5_000), (15, 15_000)),
    "/auth/get": ((100, 500), (15, 12_000)),
    "/identity/get": ((100, 1_000), (15, 2_000)),
    "/institutions/get": ((None, 10), (None, 50)),
    "/institutions/get_by_id": ((None, 400), (None, 400)),
    "/investments/holdings/get": ((100, 1_000), (15, 2_000)),
    "/investments/refresh": ((1, 100), (1, 100)),
    "/investments/transactions/get": ((100, 1_000), (30, 20_000)),
    "/item/get": ((40, 5_000), (15, 5_000)),
    "/item/remove": ((100, 500), (30, 2_000)),
    "/liabilities/get": ((10, 1_000), (15, 1_000)),
    "/sandbox/transactions/create": ((2, 50), (2, 50)),
    "/transactions/get": ((80, 1_000), (30, 20_000)),
    "/transactions/recurring/get": ((20, 1_000), (20, 1_000)),
    "/transactions/refresh": ((2, 100), (2, 100)),
    "/transactions/sync": ((50, 1_000), (50, 2_500)),
}


def _limits(column: int) -> dict[str, RateLimit]:
    return {
        path: RateLimit(item=figures[column][0], client=figures[column][1])
        for path, figures in _FIGURES.items()
    }


PRESETS: Mapping[Preset, Mapping[str, RateLimit]] = {
    "published": _limits(0),
    "published_production": _limits(1),
}


def limits_of(setting: Mapping[str, RateLimit] | Preset | None) -> Mapping[str, RateLimit]:
    """Return the limits that the setting `rate_limits` means."""
    if isinstance(setting, str):
        return PRESETS[setting]
    return setting or {}
