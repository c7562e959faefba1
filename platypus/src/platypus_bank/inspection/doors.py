"""The addresses of the pages: one of all worlds, one of each Item, one for each form.

A form's answer leads back to its page; a refused one shows it again, with the reason.
"""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from platypus_bank.control.door import RefusedError
from platypus_bank.errors import PlaidError
from platypus_bank.inspection import views
from platypus_bank.inspection.actions import OF_ITEM, OF_WORLD, Form, submit
from platypus_bank.inspection.rendering import HOME, ITEMS, page
from platypus_bank.records import Item
from platypus_bank.service import Service
from platypus_bank.worlds import Worlds

_STATIC = ("platypus_bank.inspection", "static")


def routes(worlds: Worlds) -> list[BaseRoute]:
    """Return the routes of the pages, to be mounted at HOME."""
    doors = _Doors(worlds)
    item = "/pages/items/{item_id}"
    forms = {f"/pages/{name}": form for name, form in OF_WORLD.items()}
    forms |= {f"{item}/{name}": form for name, form in OF_ITEM.items()}
    return [
        Route("/", doors.home),
        Route(item, doors.item),
        Mount("/pages/assets", StaticFiles(packages=[_STATIC])),
        *(Route(path, doors.take(form), methods=["POST"]) for path, form in forms.items()),
    ]


def home(worlds: Worlds) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of HOME itself, which no route within it can be."""
    return _Doors(worlds).home


class _Doors:
    """Finds the world that `?client_id=` names, or the only one; looking makes none."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    async def home(self, request: Request) -> Response:
        """Show all worlds, and the one that is meant."""
        return self._show(request, done=_done(request, OF_WORLD))

    async def item(self, request: Request) -> Response:
        """Show one Item."""
        return self._show(request, done=_done(request, OF_ITEM))

    def take(self, form: Form) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of one form."""

        async def taken(request: Request) -> Response:
            fields = dict(parse_qsl((await request.body()).decode(errors="replace")))
            service = self._service(request)
            if service is None:
                return page("gone", 404)
            try:
                submit(service, form, fields, request.path_params.get("item_id", ""))
            except (RefusedError, PlaidError) as refusal:
                told = {"problem": _sentence(refusal), "given": fields}
                return self._show(request, refusal.status, **told)
            return _back(request)

        return taken

    def _show(self, request: Request, status: int = 200, **told: Any) -> Response:
        service, item_id = self._service(request), request.path_params.get("item_id")
        known = {
            "worlds": views.worlds_view(self._worlds.every()),
            "given": {},
            "problem": None,
            "done": None,
        } | told
        if service is None:
            is_asked = "client_id" in request.query_params or item_id is not None
            return page("gone", 404) if is_asked else page("worlds", status, **known)
        if item_id is None:
            return page("world", status, **known, **views.world_view(service))
        item = service.world.store.get(Item, item_id)
        if item is None:
            return page("gone", 404)
        return page("item", status, **known, **views.item_view(service, item))

    def _service(self, request: Request) -> Service | None:
        known = self._worlds.every()
        if "client_id" not in request.query_params:
            return known[0] if len(known) == 1 else None
        named = request.query_params["client_id"] or None
        return next((each for each in known if each.world.charter.client_id == named), None)


def _done(request: Request, forms: dict[str, Form]) -> str | None:
    form = forms.get(request.query_params.get("done", ""))
    return None if form is None else form.done


def _sentence(refusal: RefusedError | PlaidError) -> str:
    text = str(refusal)
    text = text[:1].upper() + text[1:]
    return f"{refusal.code}: {text}" if isinstance(refusal, PlaidError) else text


def _back(request: Request) -> Response:
    """Lead to the page that a form stands on, which then says what was done."""
    item_id = request.path_params.get("item_id")
    client_id = request.query_params.get("client_id")
    named = {} if client_id is None else {"client_id": client_id}
    query = urlencode(named | {"done": request.url.path.rpartition("/")[2]})
    path = HOME if item_id is None else f"{ITEMS}/{quote(item_id, safe='')}"
    return RedirectResponse(f"{path}?{query}#told", 303, {"Cache-Control": "no-store"})
