"""Link in the browser: the script that an app loads, and the pages a person goes through.

https://plaid.com/docs/link/web/
"""

from platypus_bank.link_pages.doors import routes

__all__ = ["routes"]
