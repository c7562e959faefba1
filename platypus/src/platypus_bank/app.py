"""The ASGI application: /platypus with its pages, Link's pages, and Plaid's paths elsewhere."""

from collections.abc import Collection

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from platypus_bank import inspection
from platypus_bank.control import routes
from platypus_bank.control.door import no_such_control
from platypus_bank.gate import Gate
from platypus_bank.link_pages import routes as link_routes
from platypus_bank.plaid_door import Door
from platypus_bank.worlds import Worlds


def make_app(worlds: Worlds, hosts: Collection[str] = ()) -> Starlette:
    """Return the application of one server; `hosts` are the names it goes by beside loopback ones."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/platypus", inspection.home(worlds)),
            Mount(
                "/platypus",
                routes=[*inspection.routes(worlds), *routes(worlds)],
                middleware=[Middleware(Gate, hosts=hosts)],
            ),
            *link_routes(worlds),
            Route("/{path:path}", Door(worlds).__call__, methods=methods),
        ],
        exception_handlers={HTTPException: no_such_control},
    )
