"""/platypus/worlds: which clients have a world here, and the end of one."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from platypus_bank.control.door import UnknownError, json_response
from platypus_bank.records import Item
from platypus_bank.service import Service
from platypus_bank.worlds import Worlds


def door(worlds: Worlds) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of `GET` and `DELETE /platypus/worlds`; the latter takes ?client_id=."""

    async def answer(request: Request) -> Response:
        if request.method == "DELETE":
            client_id = request.query_params.get("client_id", "")
            try:
                worlds.remove(client_id)
            except KeyError:
                sentence = f"no world of ?client_id={client_id}; GET /platypus/worlds has them"
                return json_response(UnknownError.status, {"error": sentence})
        return json_response(200, {"worlds": [_shown(each) for each in worlds.every()]})

    return answer


def _shown(service: Service) -> dict[str, Any]:
    charter = service.world.charter
    return {
        "client_id": charter.client_id,
        "seed": charter.seed,
        "items": sum(not each.removed for each in service.world.store.every(Item)),
    }
