"""Draws which package imports which, floor by floor, from the imports as they really are.

An arrow that points up or sideways is drawn red; tests/gates/test_floors.py does not let one in.
"""

from dataclasses import dataclass
from xml.sax.saxutils import escape

import grimp

FLOORS = (
    ("interlock_cli", "interlock_api"),
    ("interlock_runtime",),
    (
        "interlock_providers",
        "interlock_router",
        "interlock_tools",
        "interlock_pipeline",
        "interlock_skills",
        "interlock_security",
        "interlock_observability",
    ),
    ("interlock_core",),
)
NAMES = ("faces", "runtime", "parts", "core")
WIDTH, FLOOR, TOP, BOX = 1080, 120, 20, 44
LEFT, RIGHT, LANE = 80, 1000, 18  # boxes stand between the first two; arrows that skip a floor run beyond

STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2937; }
  .floor { fill: #6b7280; }
  rect { fill: #eef2ff; stroke: #4f46e5; }
  path { stroke: #6b7280; stroke-width: 1.4; fill: none; } .wrong { stroke: #dc2626; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e5e7eb; } .floor { fill: #9ca3af; } path { stroke: #9ca3af; }
    rect { fill: #1e1b4b; stroke: #818cf8; }
  }
"""
MARKER = (
    '<marker id="tip" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" orient="auto"'
    ' markerUnits="userSpaceOnUse"><polygon points="0,0 8,4 0,8" fill="#6b7280"/></marker>'
)


@dataclass(frozen=True, slots=True)
class Box:
    """Where a package is drawn; the only one of its floor takes the whole width."""

    floor: int
    left: float
    right: float

    @property
    def middle(self) -> float:
        """Its middle, from the left."""
        return (self.left + self.right) / 2

    @property
    def top(self) -> int:
        """Its upper edge."""
        return TOP + self.floor * FLOOR


def arrows() -> dict[tuple[str, str], int]:
    """How many modules of one package import the other, lazy and type-only imports included."""
    packages = [package for floor in FLOORS for package in floor]
    graph = grimp.build_graph(*packages, cache_dir=None)
    found: dict[tuple[str, str], int] = {}
    for module in sorted(graph.modules):
        importer = module.partition(".")[0]
        for target in {name.partition(".")[0] for name in graph.find_modules_directly_imported_by(module)} - {
            importer
        }:
            found[importer, target] = found.get((importer, target), 0) + 1
    return found


def boxes() -> dict[str, Box]:
    """Where each package stands; core reaches under the lanes."""
    found: dict[str, Box] = {}
    for number, floor in enumerate(FLOORS):
        step = (RIGHT - LEFT) / len(floor)
        for index, package in enumerate(floor):
            end = WIDTH - 6 if number == len(FLOORS) - 1 else LEFT + step * (index + 1) - 6
            found[package] = Box(number, LEFT + step * index + 6, end)
    return found


def _path(start: Box, end: Box, lane: int) -> str:
    """The line of an arrow: straight down to the next floor, else out to a lane of its own and down there."""
    tip = end.top - 3
    if abs(end.floor - start.floor) <= 1:
        x = start.middle if start.right - start.left < end.right - end.left else end.middle
        return f"M{x:.0f} {start.top + BOX} V{tip}"
    x = RIGHT + LANE * lane
    if start.right > RIGHT - LANE and len(FLOORS[start.floor]) == 1:
        return f"M{start.right:.0f} {start.top + BOX // 2} H{x} V{tip}"
    return f"M{start.middle + 30:.0f} {start.top + BOX} v{14 + 14 * lane} H{x} V{tip}"


def _arrow(start: Box, end: Box, path: str, title: str) -> str:
    wrong = ' class="wrong"' if start.floor >= end.floor else ""
    return f'<path{wrong} d="{path}" marker-end="url(#tip)"><title>{escape(title)}</title></path>'


def draw() -> str:
    """The graph as SVG, in light and in dark colours; an arrow says how many modules it stands for."""
    spot = boxes()
    height = TOP + FLOOR * (len(FLOORS) - 1) + BOX + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The import graph of Interlock, drawn from its sources</title>",
        f"<style>{STYLE}</style>",
        MARKER,
    ]
    lane = 0
    for (importer, target), count in sorted(arrows().items(), key=lambda item: -spot[item[0][0]].floor):
        start, end = spot[importer], spot[target]
        lane += abs(end.floor - start.floor) > 1
        title = f"{importer} imports {target} in {count} modules"
        lines.append(_arrow(start, end, _path(start, end, lane), title))
    for package, box in spot.items():
        width = box.right - box.left
        lines.append(f'<rect x="{box.left:.0f}" y="{box.top}" width="{width:.0f}" height="{BOX}" rx="8"/>')
        name = escape(package.removeprefix("interlock_"))
        lines.append(f'<text x="{box.middle:.0f}" y="{box.top + 27}" text-anchor="middle">{name}</text>')
    for number, name in enumerate(NAMES):
        lines.append(f'<text class="floor" x="6" y="{TOP + number * FLOOR + 27}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])
