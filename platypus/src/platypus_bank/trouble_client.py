"""The part of the control client that makes trouble: faults, broken logins, banks that are down."""

import http.client
import json
from typing import Any
from urllib.parse import quote, urlsplit


class ControlError(Exception):
    """The control API refused; `status` and `body` are its answer."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{status}: {body}")
        self.status = status
        self.body = body


class Caller:
    """Calls /platypus in one client's world: dicts in and out, ControlError on 4xx."""

    def __init__(self, url: str, client_id: str | None = None) -> None:
        self._netloc = urlsplit(url).netloc
        self._headers = {} if client_id is None else {"PLAID-CLIENT-ID": client_id}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call `/platypus{path}` and return its JSON."""
        connection = http.client.HTTPConnection(self._netloc, timeout=600)
        try:
            connection.request(method, f"/platypus{path}", json.dumps(body or {}), self._headers)
            answer = connection.getresponse()
            fields: dict[str, Any] = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise ControlError(answer.status, fields)
        return fields


class TroubleMaker(Caller):
    """What can go wrong, one method a path."""

    def break_login(self, item_id: str, reason: str | None = None, **how: str) -> dict[str, Any]:
        """Let the login fail, until it is repaired: reason, error_code."""
        return self.call("POST", f"/items/{quote(item_id)}/break", {"reason": reason, **how})

    def repair(self, item_id: str) -> dict[str, Any]:
        """Repair the login outside update mode."""
        return self.call("POST", f"/items/{quote(item_id)}/repair")

    def institutions(self) -> list[dict[str, Any]]:
        """Return how every bank fares."""
        found: list[dict[str, Any]] = self.call("GET", "/institutions")["institutions"]
        return found

    def institution_status(self, institution_id: str, status: str) -> dict[str, Any]:
        """Let a bank be HEALTHY, DEGRADED or DOWN."""
        path = f"/institutions/{quote(institution_id)}/status"
        return self.call("POST", path, {"status": status})

    def fault(self, path: str | None = None, **fault: Any) -> str:
        """Plant a fault, by its `name` or by hand, and return its id; a webhook's is a trouble's."""
        aimed = {} if path is None else {"path": path}
        return str(self.call("POST", "/faults", {**aimed, **fault})["fault_id"])

    def fault_catalogue(self) -> list[dict[str, Any]]:
        """Return every fault that has a name: what it does, where, with which parameters."""
        found: list[dict[str, Any]] = self.call("GET", "/faults/catalogue")["faults"]
        return found

    def fault_script(self, item_id: str, *steps: dict[str, Any]) -> list[dict[str, Any]]:
        """Let an Item's next calls meet these steps in order: {calls: n} pass, then a fault, and so on."""
        path = f"/items/{quote(item_id)}/faults"
        written: list[dict[str, Any]] = self.call("POST", path, {"steps": list(steps)})["steps"]
        return written

    def fault_steps(self, item_id: str) -> list[dict[str, Any]]:
        """Return the steps that an Item's calls have yet to meet."""
        left: list[dict[str, Any]] = self.call("GET", f"/items/{quote(item_id)}/faults")["steps"]
        return left

    def faults(self) -> list[dict[str, Any]]:
        """Return all faults with `fired` and `held`."""
        found: list[dict[str, Any]] = self.call("GET", "/faults")["faults"]
        return found

    def release(self, fault_id: str) -> int:
        """Let held calls go; returns how many."""
        return int(self.call("POST", f"/faults/{quote(fault_id)}/release")["released"])

    def clear_faults(self) -> None:
        """Take all faults away."""
        self.call("DELETE", "/faults")

    def trouble(self, match: dict[str, str] | None = None, **trouble: Any) -> str:
        """Ask for trouble on the way of webhooks and return its id."""
        body = {"match": match or {}, **trouble}
        return str(self.call("POST", "/webhooks/trouble", body)["trouble_id"])

    def troubles(self) -> list[dict[str, Any]]:
        """Return all trouble with `fired` and `held`."""
        found: list[dict[str, Any]] = self.call("GET", "/webhooks/trouble")["trouble"]
        return found

    def clear_trouble(self) -> None:
        """End all trouble; what it holds is sent."""
        self.call("DELETE", "/webhooks/trouble")
