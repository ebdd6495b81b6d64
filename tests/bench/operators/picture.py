"""Pure: the benchmark's picture, bars as SVG."""

from collections.abc import Callable
from html import escape
from typing import Any

from tests.bench.operators.contenders import OURS, PLAIN, STOCK_JOB, STOCK_POD
from tests.bench.operators.goals import Cases, of, summary

COLOURS = {OURS: "#3d8b40", STOCK_JOB: "#c9772b", STOCK_POD: "#8c6bb1", PLAIN: "#8a8a8a"}
NAMES = {OURS: "cronlift", STOCK_JOB: "stock Job", STOCK_POD: "stock Pod", PLAIN: "kubectl create"}
WIDTH, PANEL, ROW, LABEL = 920, 450, 30, 120
BAR = PANEL - LABEL - 90

Figure = Callable[[dict[str, Any]], float | None]

PANELS: tuple[tuple[str, str, Figure, tuple[str, ...]], ...] = (
    ("Wall time, run created to last task's end", "{:.0f} s",
     lambda found: found["wall_seconds"], (OURS, STOCK_JOB, STOCK_POD, PLAIN)),
    ("Airflow's CPU per task", "{:.2f} s",
     lambda found: found["cpu_seconds_per_task"], (OURS, STOCK_JOB, STOCK_POD)),
    ("Failed tasks", "{:.0f} %",
     lambda found: 100 * found["failed"] / found["tasks"], (OURS, STOCK_JOB, STOCK_POD)),
    ("Kubernetes API requests per task", "{:.1f}",
     lambda found: found["requests_per_task"], (OURS, STOCK_JOB, STOCK_POD)),
)  # fmt: skip


def picture(cases: Cases, block: str = "50") -> str:
    """Return four panels that compare the contenders at one size."""
    found = {contender: summary(of(cases, block, contender)) for contender in COLOURS}
    height = 70 + 2 * (60 + 4 * ROW)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica,Arial,sans-serif" role="img" '
        f'aria-label="{block} tasks: wall time, CPU, failed tasks and API requests of each operator">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="20" y="34" font-size="18" font-weight="bold" fill="#222">{block} Jobs of `echo hi` at once, '
        "on one node of two cores</text>",
    ]
    for number, (title, words, figure, contenders) in enumerate(PANELS):
        values = {who: figure(of_one) for who in contenders if (of_one := found[who])}
        parts += _panel(20 + PANEL * (number % 2), 76 + (60 + 4 * ROW) * (number // 2), title, words, values)
    return "\n".join([*parts, "</svg>\n"])


def _panel(left: int, top: int, title: str, words: str, values: dict[str, float | None]) -> list[str]:
    largest = max((value for value in values.values() if value), default=1.0)
    lines = [f'<text x="{left}" y="{top}" font-size="14" font-weight="bold" fill="#222">{escape(title)}</text>']
    for row, (contender, value) in enumerate(values.items()):
        y = top + 12 + row * ROW
        width = max(round(BAR * (value or 0) / largest), 2)
        label = "not measured" if value is None else words.format(value)
        lines += [
            f'<text x="{left}" y="{y + 16}" font-size="13" fill="#444">{escape(NAMES[contender])}</text>',
            f'<rect x="{left + LABEL}" y="{y + 2}" width="{width}" height="20" rx="3" fill="{COLOURS[contender]}"/>',
            f'<text x="{left + LABEL + width + 6}" y="{y + 17}" font-size="13" fill="#222">{escape(label)}</text>',
        ]
    return lines
