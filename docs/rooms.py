"""Draw the rooms of the package: folders and files at its root, and who imports whom.

python docs/rooms.py          writes the drawing into docs/architecture.md
python docs/rooms.py --count  prints the numbers of rooms, floors and arrows
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1] / "quickstudy"
PAGE = Path(__file__).with_name("architecture.md")
BEGIN, END = "<!-- rooms: made by `python docs/rooms.py` -->\n", "<!-- end of rooms -->\n"


def arrows(root: Path = ROOT) -> dict[str, set[str]]:
    """Return, for each room, the rooms that it imports."""
    needs: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",):
            continue
        found = needs.setdefault(parts[0], set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            inside = [name.split(".") for name in names if name.startswith("quickstudy.")]
            found |= {name[1] for name in inside if name[1] != parts[0]}
    return needs


def floors(needs: dict[str, set[str]]) -> list[list[str]]:
    """Return the rooms from the ground up: each on the lowest floor above all that it imports."""
    level: dict[str, int] = {}
    while rest := needs.keys() - level:
        ready = {room for room in rest if needs[room] <= level.keys()}
        assert ready, f"these import one another: {sorted(rest)}"
        level |= {room: 1 + max((level[below] for below in needs[room]), default=-1) for room in ready}
    return [sorted(room for room in level if level[room] == floor) for floor in range(max(level.values()) + 1)]


def drawing(needs: dict[str, set[str]]) -> str:
    """Return a diagram in Mermaid, without arrows that others imply."""

    def below(room: str) -> set[str]:
        return needs[room] | {deeper for each in needs[room] for deeper in below(each)}

    lines = ["```mermaid", "graph TD"]
    for floor in reversed(floors(needs)):
        for room in floor:
            implied = {deeper for each in needs[room] for deeper in below(each)}
            lines += [f"    {room} --> {each}" for each in sorted(needs[room] - implied)]
    return "\n".join([*lines, "```", ""])


def count(needs: dict[str, set[str]]) -> str:
    """Return the numbers of rooms, floors and arrows in words."""
    return f"{len(needs)} rooms on {len(floors(needs))} floors, {sum(map(len, needs.values()))} arrows"


def page(text: str, needs: dict[str, set[str]]) -> str:
    """Return the page with the drawing as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{drawing(needs)}\n{count(needs)}; an arrow that others imply is left out.\n{END}{after}"


if __name__ == "__main__":
    rooms = arrows()
    if "--count" in sys.argv:
        print(count(rooms))
    else:
        PAGE.write_text(page(PAGE.read_text("utf-8"), rooms), "utf-8")
