"""The addresses of Link in the browser: Plaid's own for the script, ours for what is in its frame."""

import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import parse_qs
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from platypus_bank.endpoints.link import HOSTED_PATH, hosted_link_token, live_link_token
from platypus_bank.errors import InvalidLinkToken
from platypus_bank.link_pages import rendering, steps, walks
from platypus_bank.records import LinkToken, LinkWalk
from platypus_bank.service import Service
from platypus_bank.world import World
from platypus_bank.worlds import Worlds

SCRIPT_PATH = "/link/v2/stable/link-initialize.js"
FRAME_PATH = "/link/v2/stable/link.html"
_STATIC = files("platypus_bank.link_pages") / "static"
_SERVED_FROM = "http://127.0.0.1:8080"
_ORIGIN = re.compile(r"https?://[\w.\-\[\]:]+")


class _Way(NamedTuple):
    """A walk with its link token and the world they are in."""

    service: Service
    token: LinkToken
    walk: LinkWalk


_Fields = dict[str, list[str]]
_Answer = Callable[[_Way, _Fields], Response]


def routes(worlds: Worlds) -> list[BaseRoute]:
    """Return the routes of Link in the browser."""
    doors = _Doors(worlds)
    walk = rendering.WALKS + "/{walk_id}"
    return [
        Route(SCRIPT_PATH, _script),
        Route(FRAME_PATH, doors.frame),
        Mount("/link/assets", StaticFiles(packages=[("platypus_bank.link_pages", "static")])),
        Route(walk, doors.of_walk(_show)),
        Route(walk, doors.of_walk(_take), methods=["POST"]),
        Route(walk + "/bank", doors.of_walk(_show_bank)),
        Route(walk + "/bank", doors.of_walk(_take_at_bank), methods=["POST"]),
        Route(walk + "/leave", doors.of_walk(_ask_to_leave)),
        Route(walk + "/leave", doors.of_walk(_leave), methods=["POST"]),
        Route(HOSTED_PATH + "{name}", doors.hosted),
    ]


async def _script(request: Request) -> Response:
    """Serve Plaid's script: it knows where it was served from, by whatever name it is loaded."""
    text = (_STATIC / "link-initialize.js").read_text("utf-8")
    here = json.dumps(str(request.base_url).rstrip("/"))
    headers = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}
    text = text.replace(json.dumps(_SERVED_FROM), here)
    return Response(text, headers=headers, media_type="text/javascript")


class _Doors:
    """Finds the world that is meant: a browser has no client_id, so all of them are asked."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    async def frame(self, request: Request) -> Response:
        """Serve what the script puts in its frame: an empty page, or with a token Link's first."""
        given = request.query_params
        origin = given.get("origin", "")
        if not _ORIGIN.fullmatch(origin):
            return rendering.page("gone", "", 400)
        if "token" not in given:
            return rendering.page("empty", origin, news={"platypus": "ready"})
        found = self._find(lambda world: live_link_token(world, given["token"]))
        if found is None:
            return rendering.over(walks.refused(self._worlds.any().world, str(uuid4()), origin))
        service, token = found
        with service.commit():
            walk = _opened(service.world, token, request)
        return _see(rendering.walk_path(walk))

    async def hosted(self, request: Request) -> Response:
        """Serve a hosted Link URL."""
        name = request.path_params["name"]
        found = self._find(lambda world: hosted_link_token(world, name))
        if found is None:
            return rendering.page("gone", "", 404)
        service, token = found
        with service.commit():
            walk = walks.hosted(service.world, token)
        return _see(rendering.walk_path(walk))

    def of_walk(self, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of one path of a walk."""

        async def found(request: Request) -> Response:
            sent = request.url.query if request.method == "GET" else _text(await request.body())
            way = self._way(request.path_params["walk_id"])
            if way is None:
                return rendering.page("gone", "", 404)
            return answer(way, parse_qs(sent, keep_blank_values=True))

        return found

    def _way(self, walk_id: str) -> _Way | None:
        for service in self._worlds.every():
            walk = service.world.store.get(LinkWalk, walk_id)
            token = None if walk is None else service.world.store.get(LinkToken, walk.owner)
            if walk is not None and token is not None:
                return _Way(service, token, walk)
        return None

    def _find(self, look: Callable[[World], LinkToken]) -> tuple[Service, LinkToken] | None:
        for service in self._worlds.every():
            with suppress(InvalidLinkToken):
                return service, look(service.world)
        return None


def _text(body: bytes) -> str:
    return body.decode(errors="replace")


def _opened(world: World, token: LinkToken, request: Request) -> LinkWalk:
    given = request.query_params
    _, _, query = given.get("received", "").partition("?")  # urlsplit refuses some addresses
    received = parse_qs(query.partition("#")[0]).get("oauth_state_id")
    if received:
        return walks.resume(world, token, given["origin"], received[0])
    return walks.begin(world, token, given["origin"], embedded="embedded" in given)


def _show(way: _Way, fields: _Fields) -> Response:
    return rendering.pane(way.service.world, way.token, way.walk, going="go" in fields)


def _take(way: _Way, fields: _Fields) -> Response:
    _do(way, fields)
    going = "?go=1" if way.walk.pane == "bank" else ""
    return _see(rendering.walk_path(way.walk) + going)


def _show_bank(way: _Way, fields: _Fields) -> Response:
    del fields
    if way.walk.institution_id is None:
        return _see(rendering.walk_path(way.walk))
    return rendering.bank(way.token, way.walk)


def _take_at_bank(way: _Way, fields: _Fields) -> Response:
    _do(way, fields)
    return _see(rendering.bank_path(way.walk))


def _ask_to_leave(way: _Way, fields: _Fields) -> Response:
    del fields
    if way.walk.ending is not None:
        return _see(rendering.walk_path(way.walk))
    return rendering.leaving(way.service.world, way.token, way.walk)


def _leave(way: _Way, fields: _Fields) -> Response:
    with way.service.commit():
        steps.leave(steps.Step(way.service.world, way.token, way.walk, fields))
    return _see(rendering.walk_path(way.walk))


def _do(way: _Way, fields: _Fields) -> None:
    with way.service.commit():
        steps.take(steps.Step(way.service.world, way.token, way.walk, fields))


def _see(path: str) -> Response:
    return RedirectResponse(path, 303, {"Cache-Control": "no-store"})
