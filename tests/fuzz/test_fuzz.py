"""The whole API under made-up requests, with keys in hand: no fault of ours, nothing off its document."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from fuzzing import Fuzzer
from harness import API_KEY
from two_people import ADA, GRACE, key_of, things_of

if TYPE_CHECKING:
    from bankloom.services.runtime import Runtime
    from harness import Api
    from platypus_bank.testing import Running

SECONDS_MAX = 3600


@pytest.mark.filterwarnings(  # Schemathesis itself draws from `random` while it makes a case
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)
@pytest.mark.timeout(SECONDS_MAX)
def test_no_request_breaks_it(
    service: tuple[Api, Runtime], bank: Running, cases: int, seed: int
) -> None:
    """Every answer is one of its document's, none is an error of ours, none tells a secret."""
    api, runtime = service
    people = [things_of(api, runtime, bank, user) for user in (ADA, GRACE)]
    keys = [API_KEY, key_of(runtime, ADA)]
    secrets = {*keys, runtime.settings.plaid.secret.get_secret_value()}
    with requests.Session() as session:
        fuzzer = Fuzzer(api.url, session, keys, people, secrets)
        fuzzer.run(cases, seed)
    report(fuzzer, seed)
    assert not fuzzer.findings, f"seed {seed}: {fuzzer.findings}"
    assert fuzzer.cases.total() >= cases


def report(fuzzer: Fuzzer, seed: int) -> None:
    """Print the cases of each operation and how they were answered, and every finding."""
    for label, count in fuzzer.cases.items():
        told = sorted((s, n) for (each, s), n in fuzzer.answers.items() if each == label)
        print(f"{count:7,}  {label:<56} {', '.join(f'{s}: {n}' for s, n in told)}")  # noqa: T201
    print(f"{fuzzer.cases.total():7,}  cases, seed {seed}; {len(fuzzer.findings)} findings")  # noqa: T201
    for (label, kind), finding in fuzzer.findings.items():
        print(f"\n{label}: {kind}\n{finding}")  # noqa: T201
