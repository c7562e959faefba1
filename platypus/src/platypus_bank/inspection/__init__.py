"""Pages to look into the worlds of a server with, and buttons for what the control API can do."""

from platypus_bank.inspection.doors import home, routes

__all__ = ["home", "routes"]
