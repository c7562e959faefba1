"""The control API under /platypus: what a person, a bank or bad luck would do."""

from starlette.routing import Route

from platypus_bank.control import (
    crowds,
    faults,
    health,
    institutions,
    items,
    link,
    sandbox,
    webhooks,
    world,
    worlds,
)
from platypus_bank.control.door import Action, door
from platypus_bank.worlds import Worlds

_ACTIONS: dict[tuple[str, str], Action] = {
    **world.ACTIONS,
    **link.ACTIONS,
    **items.ACTIONS,
    **crowds.ACTIONS,
    **health.ACTIONS,
    **sandbox.ACTIONS,
    **institutions.ACTIONS,
    **faults.ACTIONS,
    **webhooks.ACTIONS,
}


def routes(known: Worlds) -> list[Route]:
    """Return the control API's routes for the worlds of a server."""
    paths = sorted({path for _, path in _ACTIONS})
    return [
        Route("/worlds", worlds.door(known), methods=["GET", "DELETE"]),
        *(
            Route(path, door(known, methods), methods=list(methods))
            for path in paths
            if (methods := {verb: act for (verb, each), act in _ACTIONS.items() if each == path})
        ),
    ]
