"""How a person's walk through Link begins, goes on after a bank's own page, and ends."""

from platypus_bank import link_events, link_sessions
from platypus_bank.endpoints.link import is_hosted
from platypus_bank.errors import (
    IncorrectLinkToken,
    InvalidLinkToken,
    ItemNotFound,
    OauthStateIdAlreadyProcessed,
    OauthStateIdNotFound,
    PlaidError,
)
from platypus_bank.link_pages.telling import departure, ending, fail, show, tell
from platypus_bank.records import Item, LinkSession, LinkToken, LinkWalk
from platypus_bank.seeds.institutions import institution
from platypus_bank.world import World


def begin(world: World, token: LinkToken, origin: str, *, embedded: bool = False) -> LinkWalk:
    """Open Link: on the choice of a bank, or in update mode at the Item's own."""
    walk = _open(world, token, origin)
    walk.embedded = embedded and not token.owner
    if token.owner:
        item = world.store.get(Item, token.owner)
        if item is None or item.removed:
            return _stuck(world, walk, ItemNotFound())
        walk.institution_id = item.institution_id
        enter_bank(world, walk)
    else:
        show(world, walk, "institution" if walk.embedded else "consent")
    world.store.put(walk)
    return walk


def resume(world: World, token: LinkToken, origin: str, state_id: str) -> LinkWalk:
    """Go on where a person left for their bank; a state that does not fit is an error to show."""
    known = [each for each in world.store.every(LinkWalk) if each.oauth_state_id == state_id]
    if not known:
        return _stuck(world, _open(world, token, origin), OauthStateIdNotFound())
    [walk] = known
    if walk.owner != token.id:
        return _stuck(world, _open(world, token, origin), IncorrectLinkToken())
    if walk.ending is not None:
        return _stuck(world, _open(world, token, origin), OauthStateIdAlreadyProcessed())
    walk.origin, walk.first_event = origin, walk.events_before_bank
    world.store.put(walk)
    return walk


def hosted(world: World, token: LinkToken) -> LinkWalk:
    """Return the walk of a hosted Link URL: the one under way, or a new one."""
    for walk in reversed(world.store.of(LinkWalk, token.id)):
        if walk.ending is None and not walk.origin:
            return walk
    return begin(world, token, "")


def enter_bank(world: World, walk: LinkWalk) -> None:
    """Show how to log in at the chosen bank: here, or on its own page."""
    pane = login_pane(walk)
    if pane == "oauth":
        walk.oauth_state_id = world.ids.uuid()
    show(world, walk, pane)


def login_pane(walk: LinkWalk) -> str:
    """Return the pane on which one logs in at the chosen bank."""
    return "oauth" if institution(walk.institution_id or "").oauth else "credentials"


def end(world: World, token: LinkToken, walk: LinkWalk) -> None:
    """Leave Link, with success if a bank was added, and forget the login."""
    session = session_of(world, walk)
    walk.ending = ending(world, walk, token)
    walk.username = walk.password = ""
    session.exit = walk.ending.get("exit")
    if is_hosted(token):
        link_events.note_walk(world, session, [*walk.events, walk.ending["event"]])
    link_sessions.end(world, token, session)
    world.store.put(walk)


def session_of(world: World, walk: LinkWalk) -> LinkSession:
    """Return what /link/token/get shows of a walk; nothing, until a bank is added or it ends."""
    found = world.store.get(LinkSession, walk.id)
    return found or LinkSession(id=walk.id, owner=walk.owner, started_at=walk.started_at)


def refused(world: World, walk_id: str, origin: str) -> LinkWalk:
    """Return a walk that is over before it began, for there is no such link token."""
    walk = LinkWalk(id=walk_id, started_at=world.clock.now(), origin=origin, pane="error")
    fail(world, walk, InvalidLinkToken())
    walk.ending = departure(world, walk, "requires_credentials")
    return walk


def _open(world: World, token: LinkToken, origin: str) -> LinkWalk:
    walk = LinkWalk(
        id=world.ids.uuid(),
        owner=token.id,
        started_at=world.clock.now(),
        origin=origin,
        pane="",
    )
    tell(world, walk, "OPEN", is_update_mode="true" if token.owner else "false")
    return walk


def _stuck(world: World, walk: LinkWalk, problem: PlaidError) -> LinkWalk:
    fail(world, walk, problem)
    show(world, walk, "error")
    world.store.put(walk)
    return walk
