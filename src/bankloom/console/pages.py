"""How a page is made: templates of this package, with everything from outside escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

if TYPE_CHECKING:
    from bankloom.console.visits import Visit

_templates = Environment(
    loader=PackageLoader("bankloom.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(visit: Visit, template: str, status: int = 200, **shown: Any) -> HTMLResponse:
    """Render a template for a visit: its forms carry the visit's CSRF token."""
    text = _templates.get_template(template).render(csrf_token=visit.csrf_token, **shown)
    answer = HTMLResponse(text, status)
    visit.keep(answer)
    return answer
