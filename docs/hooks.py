"""Make the pages fit for the site: the drawing of the rooms, links to files of the repository, and notebooks as pages.

On GitHub the pages are read as they are. Nothing here fetches anything.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

DOCS = Path(__file__).parent
ROOT = DOCS.parent
_LINK = re.compile(r"\[([^\]]*)\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]*)?\)")
_PICTURES = {"image/png": "png", "image/svg+xml": "svg"}


def on_files(files: Any, config: Any) -> Any:
    """Add the drawing of the rooms, the pages of the notebooks, and linked files outside of docs."""
    spec = importlib.util.spec_from_file_location("rooms", DOCS / "rooms.py")
    assert spec
    assert spec.loader
    rooms = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(rooms)
    files.append(File.generated(config, "rooms.svg", content=rooms.svg(rooms.arrows())))
    for path in sorted(DOCS.glob("notebooks/*.ipynb")):
        text, pictures = page_of(path)
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f"notebooks/{name}", content=content))
    for path in sorted(DOCS.rglob("*.md")):
        for link in _LINK.finditer(path.read_text("utf-8")):
            target = (path.parent / link[2]).resolve()
            if target.is_file() and not target.is_relative_to(DOCS):
                files.append(File.generated(config, _place(target), content=target.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Replace the diagram by its drawing, and links that leave docs by the file itself or by its name."""
    markdown = re.sub(
        r"```mermaid\n.*?```", "![Rooms of the package, and who imports whom](rooms.svg)", markdown, flags=re.S
    )
    here = (DOCS / page.file.src_uri).parent

    def stays(link: re.Match[str]) -> str:
        target = (here / link[2]).resolve()
        if target.is_relative_to(DOCS):
            return link[0]
        up = "../" * (len(page.file.src_uri.split("/")) - 1)
        return f"[{link[1]}]({up}{_place(target)})" if target.is_file() else f"`{target.relative_to(ROOT)}`"

    return _LINK.sub(stays, markdown)


def page_of(path: Path) -> tuple[str, dict[str, bytes]]:
    """Return a notebook as Markdown, and its pictures by file name."""
    parts = [f"[Download this notebook]({path.name})"]
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            if source.startswith("# "):  # the title comes first
                parts.insert(0, parts.pop())
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell["outputs"]:
            text = "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
            kind = next((kind for kind in _PICTURES if kind in output.get("data", {})), None)
            if kind:
                data = "".join(output["data"][kind])
                name = f"{path.stem}-{len(pictures) + 1}.{_PICTURES[kind]}"
                pictures[name] = base64.b64decode(data) if kind == "image/png" else data.encode()
                parts.append(f"![Output of the cell above]({name})")
            elif text.strip():
                parts.append(f"```text\n{text.rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures


def _place(target: Path) -> str:
    return f"files/{target.relative_to(ROOT).as_posix()}"
