"""Draw the rooms of the package: folders and files at its root, and who imports whom.

python docs/rooms.py          writes the drawing into docs/architecture.md
python docs/rooms.py --count  prints the numbers of rooms, floors and arrows

The site shows the same drawing as SVG, which needs no script.
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

    lines = [f"    {room} --> {each}" for room, each in direct(needs)]
    return "\n".join(["```mermaid", "graph TD", *lines, "```", ""])


def direct(needs: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return the arrows that no others imply, from the top down."""

    def below(room: str) -> set[str]:
        return needs[room] | {deeper for each in needs[room] for deeper in below(each)}

    implied = {room: {deeper for each in needs[room] for deeper in below(each)} for room in needs}
    rooms = [room for floor in reversed(floors(needs)) for room in floor]
    return [(room, each) for room in rooms for each in sorted(needs[room] - implied[room])]


def svg(needs: dict[str, set[str]]) -> str:
    """Return the drawing as SVG, one row a floor."""
    levels = list(reversed(floors(needs)))
    place = {
        room: (360 + 150 * (i - (len(row) - 1) / 2), 30 + 62 * k)
        for k, row in enumerate(levels)
        for i, room in enumerate(row)
    }
    arrows = [(*place[room], *place[each]) for room, each in direct(needs)]
    lines = [
        f'<path d="M{x} {y + 16} C{x} {y + 40} {u} {v - 40} {u} {v - 18}" marker-end="url(#tip)"/>'
        for x, y, u, v in arrows
    ]
    boxes = [
        f'<rect x="{x - 55}" y="{y - 16}" width="110" height="32" rx="6"/><text x="{x}" y="{y + 5}">{room}</text>'
        for room, (x, y) in place.items()
    ]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 {62 * len(levels)}"',
        ' font-family="sans-serif" font-size="14">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="8" markerHeight="8" orient="auto">',
        '<path d="M0 0L8 4L0 8z" fill="#5a6b86"/></marker></defs>',
        '<g fill="none" stroke="#5a6b86">', *lines, "</g>",
        '<g fill="#eef3fb" stroke="#5a6b86" text-anchor="middle">',
        *(box.replace("<text ", '<text fill="#1d2733" stroke="none" ') for box in boxes), "</g>", "</svg>", "",
    ])  # fmt: skip


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
