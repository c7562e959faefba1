"""Link's panes as HTML, and what each page tells the one around it."""

from typing import Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, Response

from platypus_bank.endpoints.link import is_hosted, is_multi_item
from platypus_bank.html import templates
from platypus_bank.link_pages import choices
from platypus_bank.link_pages.telling import ending
from platypus_bank.records import LinkToken, LinkWalk
from platypus_bank.seeds import mfa
from platypus_bank.seeds.institutions import BY_ID
from platypus_bank.world import World

WALKS = "/link/walks"
_LOCAL = "http://localhost:* http://127.0.0.1:*"
_TEMPLATES = templates("platypus_bank.link_pages")


def page(template: str, origin: str, status: int = 200, **shown: Any) -> Response:
    """Return one page, which may stand in a page of `origin` or of this machine."""
    text = _TEMPLATES.get_template(f"{template}.html").render(origin=origin, **shown)
    return HTMLResponse(text, status, _headers(origin))


def _headers(origin: str) -> dict[str, str]:
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; base-uri 'none'; "
        f"form-action 'self'; frame-ancestors 'self' {origin} {_LOCAL}"
    )
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def pane(world: World, token: LinkToken, walk: LinkWalk, *, going: bool = False) -> Response:
    """Return the pane a walk is at; `going`: the person was just sent on to the bank's page."""
    if walk.ending is not None:
        return over(walk, token.request["hosted_link"])
    shown = _SHOWN[walk.pane](world, token, walk) if walk.pane in _SHOWN else {}
    way = None if has_window(token) else bank_path(walk)
    news = _news(walk) | {"ending": ending(world, walk, token), "go": way if going else None}
    return _page(walk.pane, walk, token, news, **shown)


def leaving(world: World, token: LinkToken, walk: LinkWalk) -> Response:
    """Ask whether the person really wants to leave."""
    news = _news(walk) | {"ending": ending(world, walk, token), "go": None}
    return _page("leave", walk, token, news)


def over(walk: LinkWalk, hosted_link: dict[str, Any] | None = None) -> Response:
    """Say that a walk is over, and tell how it ended."""
    go = (hosted_link or {}).get("completion_redirect_uri")
    news = _news(walk) | {"ending": walk.ending, "go": None if walk.origin else go}
    return page("over", walk.origin, news=news, walk=walk)


def bank(token: LinkToken, walk: LinkWalk) -> Response:
    """Return the bank's own page; once it is done with, the way back to Link."""
    name = BY_ID[walk.institution_id or ""]
    if walk.pane in ("oauth", "bank"):  # its window may be faster than the frame that opened it
        return page("at_bank", "", bank=name, token=token, walk=walk, news={"go": None})
    return page("after_bank", "", bank=name, news={"go": _way_back(token, walk)})


def has_window(token: LinkToken) -> bool:
    """Tell whether the bank's page has a window of its own, beside the app's page."""
    return not is_hosted(token) and token.request["redirect_uri"] is None


def walk_path(walk: LinkWalk) -> str:
    """Return where a walk's panes are."""
    return f"{WALKS}/{walk.id}"


def bank_path(walk: LinkWalk) -> str:
    """Return where the bank's own page is."""
    return f"{WALKS}/{walk.id}/bank"


def _way_back(token: LinkToken, walk: LinkWalk) -> str | None:
    if is_hosted(token):
        return walk_path(walk)
    uri = token.request["redirect_uri"]
    return None if uri is None else f"{uri}?{urlencode({'oauth_state_id': walk.oauth_state_id})}"


def _page(
    template: str, walk: LinkWalk, token: LinkToken, news: dict[str, Any], **shown: Any
) -> Response:
    named = BY_ID.get(walk.institution_id or "")
    app = token.request["client_name"]
    return page(
        template, walk.origin, walk=walk, token=token, news=news, bank=named, app=app, **shown
    )


def _news(walk: LinkWalk) -> dict[str, Any]:
    return {
        "platypus": "news",
        "link_session_id": walk.id,
        "pane": walk.pane,
        "first": walk.first_event,
        "events": walk.events[walk.first_event :],
        "over": walk.ending is not None,
    }


def _institutions(world: World, token: LinkToken, walk: LinkWalk) -> dict[str, Any]:
    del world
    return {"banks": choices.institutions(token, walk)}


def _accounts(world: World, token: LinkToken, walk: LinkWalk) -> dict[str, Any]:
    return {"accounts": choices.accounts(world, token, walk)}


def _asked(world: World, token: LinkToken, walk: LinkWalk) -> dict[str, Any]:
    del world, token
    return {"asked": mfa.rounds(walk.password)[walk.mfa_round]}


def _way_to_bank(world: World, token: LinkToken, walk: LinkWalk) -> dict[str, Any]:
    del world
    return {"way": bank_path(walk), "has_window": has_window(token)}


def _whether_more(world: World, token: LinkToken, walk: LinkWalk) -> dict[str, Any]:
    del world, walk
    return {"more": is_multi_item(token)}


_SHOWN = {
    "institution": _institutions,
    "mfa": _asked,
    "accounts": _accounts,
    "oauth": _way_to_bank,
    "bank": _way_to_bank,
    "done": _whether_more,
}
