"""`/docs`: the API's description to read and try, from packaged files alone, under the page's policy."""

from __future__ import annotations

from string import Template

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from bankloom.routes.hardening.headers import nonce_of

router = APIRouter()

ASSETS = "/static-offline-docs"
"""Where fastapi-offline serves Swagger UI; its own page has a script without a nonce."""

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bankloom - the API</title>
<link rel="icon" href="$root$assets/favicon.png">
<link rel="stylesheet" href="$root$assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="$root$assets/swagger-ui-bundle.js"></script>
<script nonce="$nonce">
SwaggerUIBundle({
  url: "$root/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
</script>
</body>
</html>
""")


@router.get("/docs", include_in_schema=False)
async def show_docs(request: Request) -> HTMLResponse:
    """Answer the page; what it shows, it asks for by itself."""
    root = request.scope.get("root_path", "")
    return HTMLResponse(_PAGE.substitute(root=root, assets=ASSETS, nonce=nonce_of(request)))
