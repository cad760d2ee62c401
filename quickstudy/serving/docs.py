"""Page that documents the API, made from its OpenAPI schema; it loads nothing."""

from __future__ import annotations

import json
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
"""Content security policy of the page, whose style is inside."""
_STYLE = """
:root { color-scheme: light dark; --soft: #59636e; --line: #d5d9de; --code: #f2f3f5; }
@media (prefers-color-scheme: dark) { :root { --soft: #a2abb5; --line: #3b424b; --code: #23282f; } }
body { margin: 0 auto; max-width: 54rem; padding: 1.5rem 1rem 4rem; font: 16px/1.5 system-ui, sans-serif; }
h2 { font: 600 1rem/1.4 ui-monospace, monospace; border-top: 1px solid var(--line); padding-top: 1.2rem;
  margin-top: 1.6rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; } pre, code { background: var(--code); border-radius: 4px; font-size: .9rem; }
pre { padding: .7rem; overflow-x: auto; } code { padding: .1rem .3rem; } .soft { color: var(--soft); }
"""


def page(schema: dict[str, Any]) -> str:
    """Return an OpenAPI schema as an HTML page."""
    parts = [
        _operation(path, method, about)
        for path, methods in schema["paths"].items()
        for method, about in methods.items()
    ]
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(schema["info"]["title"])}</title><style>{_STYLE}</style></head><body><main>
<h1>{escape(schema["info"]["title"])}</h1>
<p>Bodies and answers are JSON. A request that is refused has a status of 4xx and <code>{{"error": "one line"}}</code>.
The same as a schema: <a href="/openapi.json">openapi.json</a>.</p>
{"".join(parts)}
</main></body></html>
"""


def _operation(path: str, method: str, about: dict[str, Any]) -> str:
    lines = [f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(about.get('description', ''))}</p>"]
    lines += [
        f"<p><code>{escape(each['name'])}</code> {escape(each.get('description', ''))}</p>"
        for each in about.get("parameters", [])
    ]
    for kind, body in about.get("requestBody", {}).get("content", {}).items():
        lines.append(f'<p class="soft">{escape(kind)}</p>')
        schema = body["schema"]
        for name, each in schema.get("properties", {}).items():
            need = " (needed)" if name in schema.get("required", []) else ""
            lines.append(f"<p><code>{escape(name)}</code>{need} {escape(each.get('description', ''))}</p>")
        if "properties" in schema:
            example = json.dumps(_example(schema), indent=2)
            if kind == "application/json":
                lines.append(f"<pre>{escape(example)}</pre>")
    return "\n".join(lines)


def _example(schema: dict[str, Any]) -> Any:
    """Return a short value of the form of a schema."""
    result: dict[str, Any] = {}
    for name, each in schema["properties"].items():
        if name in ("examples", "inputs"):
            label = {"label": "greeting"} if name == "examples" else {}
            result[name] = [{"text": "hello there", **label}]
        elif name == "input":
            result[name] = {"text": "hello there"}
        elif name == "label":
            result[name] = "greeting"
        elif "default" in each and each["default"] is not None:
            result[name] = each["default"]
    return result
