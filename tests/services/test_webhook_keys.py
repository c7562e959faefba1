"""Keys that sign webhooks: asked for once, looked at again in time, and not at everybody's wish."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from bankloom.core.errors import PlaidUnreachableError, WebhookUndecidedError
from bankloom.core.signatures import Jwk, UnbelievedError, Verdict
from bankloom.services.webhooks.keys import (
    ENTRIES_MAX,
    LOOK_AGAIN_SECONDS,
    UNKNOWN_SECONDS,
    UNSEEN_BURST,
    UNSEEN_REFILL_SECONDS,
    FoundKey,
    WebhookKeys,
)
from webhook_sender import Key


@dataclass
class Owner:
    """Who is asked for keys, and the clock of the cache."""

    keys: dict[str, Key] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_silent: bool = False
    seconds: float = 0

    def look_up(self, kid: str) -> FoundKey | None:
        """Answer as Plaid does."""
        self.asked.append(kid)
        if self.is_silent:
            raise PlaidUnreachableError
        key = self.keys.get(kid)
        return FoundKey(msgspec.json.decode(json.dumps(key.jwk), type=Jwk)) if key else None

    def cache(self, *seen_before: str) -> WebhookKeys:
        """Return a cache that asks here."""
        return WebhookKeys(self.look_up, seen_before, lambda: self.seconds)


@pytest.fixture
def owner() -> Owner:
    """Plaid, with two keys."""
    return Owner({kid: Key(kid) for kid in ("old", "new")})


def verdict_on(cache: WebhookKeys, kid: str) -> Verdict | None:
    """Return why a key is not given, if not."""
    try:
        cache.get(kid)
    except UnbelievedError as refused:
        return refused.verdict
    return None


def test_a_key_is_asked_for_once_a_day(owner: Owner) -> None:
    """In between it is at hand; after a day it is looked at again, and may have ended."""
    cache = owner.cache()
    for seconds in (0, 1, LOOK_AGAIN_SECONDS - 1):
        owner.seconds = seconds
        assert verdict_on(cache, "old") is None
    assert owner.asked == ["old"]
    owner.seconds = LOOK_AGAIN_SECONDS
    owner.keys["old"].expired_at = 1
    assert not cache.knows("old")
    assert verdict_on(cache, "old") is Verdict.EXPIRED_KEY
    assert owner.asked == ["old"] * 2


def test_a_new_key_casts_doubt_on_the_others_and_a_made_up_one_does_not(owner: Owner) -> None:
    """Each other key is looked at once more before it is used again."""
    cache = owner.cache()
    cache.get("old")
    assert verdict_on(cache, "made up") is Verdict.UNKNOWN_KEY
    assert cache.knows("old")
    cache.get("new")
    assert [cache.knows(kid) for kid in ("old", "new")] == [False, True]
    cache.get("old")
    assert [cache.knows(kid) for kid in ("old", "new")] == [True, True]


def test_an_unknown_name_is_asked_about_once_a_minute(owner: Owner) -> None:
    """A key may bear it by then."""
    cache = owner.cache()
    for _ in range(3):
        assert verdict_on(cache, "tomorrow") is Verdict.UNKNOWN_KEY
    assert owner.asked == ["tomorrow"]
    owner.keys["tomorrow"] = Key("tomorrow")
    owner.seconds = UNKNOWN_SECONDS
    assert verdict_on(cache, "tomorrow") is None


def test_silence_is_not_remembered(owner: Owner) -> None:
    """Where Plaid can't be asked, nothing is known of the key, and the next delivery asks again."""
    cache = owner.cache()
    owner.is_silent = True
    for _ in range(2):
        with pytest.raises(WebhookUndecidedError):
            cache.get("old")
    owner.is_silent = False
    assert verdict_on(cache, "old") is None
    assert len(owner.asked) == 3


def test_strangers_can_not_make_us_ask_at_their_pace(owner: Owner) -> None:
    """A few unseen names at once, then one each time the refill has passed; seen keys are not counted."""
    cache = owner.cache()
    cache.get("old")
    undecided = 0
    for number in range(100):
        try:
            verdict_on(cache, f"made up {number}")
        except WebhookUndecidedError:
            undecided += 1
    assert len(owner.asked) == UNSEEN_BURST
    assert undecided == 100 - (UNSEEN_BURST - 1)
    owner.seconds = LOOK_AGAIN_SECONDS
    cache.get("old")
    owner.seconds = UNSEEN_REFILL_SECONDS
    assert verdict_on(cache, "new") is None


def test_a_flood_keeps_no_key_away_that_was_seen_before(owner: Owner) -> None:
    """A process that starts in the middle of one learns the keys of stored deliveries all the same."""
    cache = owner.cache("old")
    for number in range(2 * UNSEEN_BURST):
        with suppress(UnbelievedError, WebhookUndecidedError):
            cache.get(f"made up {number}")
    assert verdict_on(cache, "old") is None
    with pytest.raises(WebhookUndecidedError):
        cache.get("new")


def test_the_cache_is_bounded(owner: Owner) -> None:
    """However many names are unknown over the years, few are remembered, and no real key forgotten."""
    cache = owner.cache()
    cache.get("old")
    for number in range(3 * ENTRIES_MAX):
        owner.seconds += UNSEEN_REFILL_SECONDS
        assert verdict_on(cache, f"made up {number}") is Verdict.UNKNOWN_KEY
    assert len(cache._entries) == ENTRIES_MAX
    assert cache.knows("old")


def test_of_many_who_need_a_key_one_asks(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others wait for that answer, which comes once all of them have found no key at hand."""
    threads = 16
    cache = owner.cache()
    missed = threading.Barrier(threads)
    fresh = cache._fresh
    first = threading.local()

    def fresh_for_all_at_once(kid: str) -> Any:
        entry = fresh(kid)
        if not hasattr(first, "over"):
            first.over = True
            missed.wait(60)
        return entry

    monkeypatch.setattr(cache, "_fresh", fresh_for_all_at_once)
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda _: cache.get("old"), range(threads)))
    assert owner.asked == ["old"]


@pytest.mark.parametrize("kind", [{"kty": "oct"}, {"alg": "HS256"}, {"x": "AAAA"}])
def test_a_key_of_another_kind_is_refused(owner: Owner, kind: dict[str, str]) -> None:
    """Whoever answered."""
    owner.keys["old"].changes = kind
    assert verdict_on(owner.cache(), "old") is Verdict.UNFIT_KEY
