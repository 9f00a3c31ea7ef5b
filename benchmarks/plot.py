"""The plot: CPU a request of every server, as an SVG that reads in light and dark."""

from xml.sax.saxutils import escape

from benchmarks import kinds, shown
from benchmarks.measured import Measured
from benchmarks.results import Results
from benchmarks.rows.reserve import CONNECTIONS

_WIDTH, _ROW, _TOP, _LABEL, _BAR = 860, 34, 64, 330, 400
_BAR_HEIGHT = 20
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 16px }
.note { fill: #59636e; font-size: 12px }
.server { fill: #8c959f } .ours { fill: #0969da } .store { fill: #d0d7de }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc } .note { fill: #9198a1 }
  .server { fill: #6e7681 } .ours { fill: #4493f8 } .store { fill: #3d444d }
}
"""


def svg(results: Results) -> str:
    """Return the plot of the reserve row, the least CPU first."""
    found = [one for one in results.measured if one.connections == CONNECTIONS]
    found.sort(key=lambda one: one.server_us)
    most = max(one.server_us + (one.store_us or 0.0) for one in found)
    height = _TOP + _ROW * len(found) + 16
    bars = "".join(_bar(one, place, _BAR / most) for place, one in enumerate(found))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="CPU microseconds for one reservation, by server">\n'
        f"<style>{_STYLE}</style>\n"
        f'<text class="title" x="16" y="26">CPU for one reservation, microseconds</text>\n'
        f'<text class="note" x="16" y="46">{CONNECTIONS} connections, one server core; the pale '
        f"part is Redis or PostgreSQL</text>\n"
        f"{bars}</svg>\n"
    )


def _bar(one: Measured, place: int, scale: float) -> str:
    top = _TOP + _ROW * place
    middle = top + _BAR_HEIGHT / 2 + 5
    server, store = one.server_us * scale, (one.store_us or 0.0) * scale
    kind = "ours" if one.server == kinds.OURS.name else "server"
    name = escape(shown.label(one.server).replace("`", ""))
    figures = shown.short(one.server_us)
    if one.store_us is not None:
        figures += f" + {shown.short(one.store_us)}"
    return (
        f'<text x="{_LABEL - 10}" y="{middle}" text-anchor="end">{name}</text>\n'
        f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{server:.1f}" '
        f'height="{_BAR_HEIGHT}"/>\n'
        f'<rect class="store" x="{_LABEL + server:.1f}" y="{top}" width="{store:.1f}" '
        f'height="{_BAR_HEIGHT}"/>\n'
        f'<text x="{_LABEL + server + store + 8:.1f}" y="{middle}">{figures}</text>\n'
    )
