"""What a person does on Link's panes, and where each step leads."""

from collections.abc import Callable
from typing import NamedTuple

from platypus_bank import link_sessions
from platypus_bank.endpoints.link import is_multi_item, live_link_token
from platypus_bank.errors import (
    InvalidCredentials,
    InvalidLinkToken,
    InvalidMfa,
    NoAccounts,
    OauthDenied,
    PlaidError,
)
from platypus_bank.forced_error import ForcedError
from platypus_bank.institution_status import check_up
from platypus_bank.link_pages import walks
from platypus_bank.link_pages.telling import fail, show, tell
from platypus_bank.opening import Login, log_in
from platypus_bank.records import LinkToken, LinkWalk
from platypus_bank.seeds import mfa, people
from platypus_bank.seeds.institutions import institution
from platypus_bank.world import World

_TRY_AGAIN_HERE = (InvalidCredentials, InvalidMfa, NoAccounts)


class Step(NamedTuple):
    """One press of a button, with what the form holds."""

    world: World
    token: LinkToken
    walk: LinkWalk
    fields: dict[str, list[str]]

    def field(self, name: str) -> str:
        """Return what was typed, or nothing."""
        return self.fields.get(name, [""])[0]

    def show(self, pane: str) -> None:
        """Bring up a pane."""
        show(self.world, self.walk, pane)

    def tell(self, name: str, **known: str) -> None:
        """Tell an event."""
        tell(self.world, self.walk, name, **known)


def take(step: Step) -> None:
    """Do what the pressed button says; one that the pane does not have is an old page's, ignored.

    What goes wrong is shown: on the pane itself where another try may help, else on one of its own.
    """
    walk = step.walk
    action = _STEPS.get((walk.pane, step.field("step")))
    if walk.ending is not None or action is None:
        return
    walk.error, pane = None, walk.pane
    try:
        if action is not leave:  # who is done may finish, however late
            live_link_token(step.world, step.token.id)
        action(step)
    except PlaidError as problem:
        fail(step.world, walk, problem)
        if not isinstance(problem, _TRY_AGAIN_HERE):
            walk.again = _way_back(walk, pane, problem)
            step.show("error")
    if walk.ending is None:
        step.world.store.put(walk)


def _way_back(walk: LinkWalk, pane: str, problem: PlaidError) -> str:
    """Return the pane that a retry leads to, "" if none will do."""
    if isinstance(problem, InvalidLinkToken):
        return ""
    return "institution" if pane == "institution" else walks.login_pane(walk)


def leave(step: Step) -> None:
    """Leave Link from any pane."""
    if step.walk.ending is None:
        walks.end(step.world, step.token, step.walk)


def _agree(step: Step) -> None:
    step.show("institution")


def _search(step: Step) -> None:
    step.walk.query = step.field("query").strip()
    step.tell("SEARCH_INSTITUTION", institution_search_query=step.walk.query)


def _choose(step: Step) -> None:
    bank = institution(step.field("institution_id"))
    step.walk.institution_id, step.walk.embedded = bank.institution_id, False
    step.tell("SELECT_INSTITUTION")
    check_up(step.world, bank.institution_id)
    walks.enter_bank(step.world, step.walk)


def _log_in(step: Step) -> None:
    step.tell("SUBMIT_CREDENTIALS")
    _check_login(step)
    step.walk.mfa_round = 0
    if mfa.rounds(step.walk.password):
        step.show("mfa")
    else:
        _logged_in(step)


def _check_login(step: Step) -> None:
    """Keep a login that is right; raises what the bank says to a wrong one."""
    username, password = step.field("username").strip(), step.field("password")
    if step.token.owner:
        people.check_password(username, password)
    else:
        log_in(step.world, username, password, step.walk.id)
    step.walk.username, step.walk.password = username, password


def _answer(step: Step) -> None:
    walk = step.walk
    rounds = mfa.rounds(walk.password)
    asked = rounds[walk.mfa_round]
    step.tell("SUBMIT_MFA")
    asked.check([step.field(f"answer_{number}") for number in range(len(asked.questions))])
    if walk.mfa_round + 1 < len(rounds):
        walk.mfa_round += 1
        step.show("mfa")
    else:
        _logged_in(step)


def _logged_in(step: Step) -> None:
    if step.token.owner and not step.token.request["update"]["account_selection_enabled"]:
        _connect(step, None)
    else:
        step.show("accounts")


def _share(step: Step) -> None:
    wanted = step.fields.get("accounts", [])
    if not wanted:
        raise NoAccounts
    _connect(step, wanted)


def _connect(step: Step, accounts: list[str] | None) -> None:
    walk = step.walk
    login = Login(
        institution_id=walk.institution_id or "",
        username=walk.username,
        password=walk.password,
        accounts=accounts,
    )
    result = link_sessions.bring(step.world, step.token, login)
    session = walks.session_of(step.world, walk)
    link_sessions.keep(step.world, step.token, session, result)
    step.show("done")


def _go_to_bank(step: Step) -> None:
    step.tell("OPEN_OAUTH")
    step.walk.events_before_bank = len(step.walk.events)
    step.show("bank")


def _allow(step: Step) -> None:
    try:
        _check_login(step)
    except ForcedError:
        step.tell("FAIL_OAUTH")
        raise
    _logged_in(step)


def _deny(step: Step) -> None:
    step.tell("FAIL_OAUTH")
    raise OauthDenied


def _close_bank(step: Step) -> None:
    step.tell("CLOSE_OAUTH")
    step.show("oauth")


def _choose_again(step: Step) -> None:
    if not step.token.owner:
        step.walk.institution_id = None
        step.show("institution")


def _retry(step: Step) -> None:
    walk = step.walk
    if walk.again == "institution":
        walk.institution_id = None
    if walk.again:
        step.show(walk.again)


def _another(step: Step) -> None:
    if is_multi_item(step.token):
        step.walk.institution_id, step.walk.query = None, ""
        step.show("institution")


_STEPS: dict[tuple[str, str], Callable[[Step], None]] = {
    ("consent", "continue"): _agree,
    ("institution", "search"): _search,
    ("institution", "choose"): _choose,
    ("credentials", "log_in"): _log_in,
    ("credentials", "back"): _choose_again,
    ("oauth", "continue"): _go_to_bank,
    ("oauth", "back"): _choose_again,
    ("oauth", "allow"): _allow,
    ("oauth", "deny"): _deny,
    ("bank", "allow"): _allow,
    ("bank", "deny"): _deny,
    ("bank", "back"): _close_bank,
    ("mfa", "answer"): _answer,
    ("mfa", "back"): _choose_again,
    ("accounts", "share"): _share,
    ("accounts", "back"): _choose_again,
    ("error", "retry"): _retry,
    ("done", "another"): _another,
    ("done", "finish"): leave,
}
