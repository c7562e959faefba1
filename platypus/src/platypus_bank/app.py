"""The ASGI application: the control API under /platypus, Link's pages, Plaid's paths elsewhere."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route

from platypus_bank.control import routes
from platypus_bank.control.door import no_such_control
from platypus_bank.link_pages import routes as link_routes
from platypus_bank.plaid_door import Door
from platypus_bank.worlds import Worlds


def make_app(worlds: Worlds) -> Starlette:
    """Return the application of one server."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Mount("/platypus", routes=routes(worlds)),
            *link_routes(worlds),
            Route("/{path:path}", Door(worlds).__call__, methods=methods),
        ],
        exception_handlers={HTTPException: no_such_control},
    )
