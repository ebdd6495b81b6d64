"""docs/benchmark.md from the figures of a run: everything between the marks is generated."""

from typing import Any

from ci.errors import UserError
from ci.paths import ROOT
from tests.bench.operators import results
from tests.bench.operators.contenders import IDLE, OURS, PLAIN, STOCK_JOB, STOCK_POD, TITLES
from tests.bench.operators.goals import Cases, goals, of, summary
from tests.bench.operators.picture import picture
from tests.bench.operators.plan import PEERS

PAGE = ROOT / "docs/benchmark.md"
PICTURE = ROOT / "docs/pictures/benchmark.svg"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
AGAIN_BEGIN, AGAIN_END = "<!-- generated in part: begin -->", "<!-- generated in part: end -->"

SIZES = (
    ("1 task", "1", None),
    ("16 tasks", "16", None),
    ("50 tasks", "50", None),
    ("300 tasks in one DAG", "300", 1),
    ("300 tasks in 60 runs of 5", "300", 60),
)
HEAD = (
    "contender", "failed", "wall", "CPU / task", "API requests / task", "log streams / task", "start p50 / p99",
    "end p50 / p90 / p99",
)  # fmt: skip


def last() -> dict[str, Any]:
    """Return what was measured last.

    Raises:
        UserError: Nothing was.
    """
    found = results.read()
    if found is None:
        raise UserError(f"There is no {results.PATH.relative_to(ROOT)}", cure="Measure first: make bench")
    return found


def write(content: dict[str, Any]) -> None:
    """Write the generated part of the page and its picture; of a run in part, what stands behind the last whole one."""
    if not content.get("complete"):
        _replace(AGAIN_BEGIN, AGAIN_END, f"## Some of it again, since then\n\n{markdown(content)}")
        return
    shown = f"![Bars: wall time, CPU, failed tasks and requests of each operator](pictures/{PICTURE.name})"
    _replace(BEGIN, END, f"{shown}\n\n{markdown(content)}")
    _replace(AGAIN_BEGIN, AGAIN_END, "")
    PICTURE.write_text(picture(content["cases"]))


def _replace(begin: str, end: str, words: str) -> None:
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n\n{words}\n{end}{after}")


def markdown(content: dict[str, Any]) -> str:
    """Return the tables."""
    machine, versions, cases = content["machine"], content["versions"], content["cases"]
    lines = [
        f"{content['date'][:10]}, {machine['cpus']} cores ({machine['cpu'].strip()}), {machine['memory_gib']:g} GiB, "
        f"kernel {machine['kernel']}, the {content['cluster']} cluster; load before {machine['load_before']:g}.",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        "| goal | limit | seen | |",
        "| --- | --- | --- | --- |",
    ]
    whole = content.get("complete")
    for goal in [each for each in goals(cases) if whole or each.met is not None]:
        mark = {True: "met", False: "**missed**", None: "not measured"}[goal.met]
        lines.append(f"| {goal.name} | {goal.limit} | {goal.seen or '-'} | {mark} |")
    for title, block, runs in SIZES:
        lines += _table(title, block, runs, cases)
    lines += _requests(cases)
    lines += _memory(cases)
    lines += _reasons(cases)
    if broken := [case for case in cases if "error" in case]:
        lines += ["", "Not measured, because the measurement itself broke:", ""]
        lines += [f"- {case['block']}, {TITLES[case['contender']]}: {case['error'].splitlines()[0]}" for case in broken]
    return "\n".join(lines) + "\n"


def _table(title: str, block: str, runs: int | None, cases: Cases) -> list[str]:
    rows = []
    for contender in (OURS, STOCK_JOB, STOCK_POD, PLAIN):
        times = None if contender == PLAIN else runs
        found = summary([*of(cases, block, contender, times), *of(cases, block + PEERS, contender, times)])
        if found is None:
            continue
        start, end = found["start_seconds"], found["end_seconds"]
        cells = [
            TITLES[contender],
            _failed(found),
            "given up" if found["unfinished"] else _seconds(found["wall_seconds"], 1),
            _seconds(found["cpu_seconds_per_task"], 3),
            _number(found["requests_per_task"]),
            _number(found["log_streams_per_task"]),
            f"{start['p50']:.1f} / {start['p99']:.1f} s" if start else "-",
            f"{end['p50']:.2f} / {end['p90']:.2f} / {end['p99']:.2f} s" if end else "-",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    if not rows:
        return []
    return ["", f"### {title}", "", f"| {' | '.join(HEAD)} |", f"|{' --- |' * len(HEAD)}", *rows]


def _failed(found: dict[str, Any]) -> str:
    words = f"{found['failed'] - found['unfinished']} of {found['tasks']}"
    return f"{words}; {found['unfinished']} had not ended when it was given up" if found["unfinished"] else words


def _requests(cases: Cases) -> list[str]:
    kinds: dict[str, dict[str, float]] = {}
    contenders = (OURS, STOCK_JOB, STOCK_POD)
    for contender in contenders:
        found = of(cases, "50", contender)
        tasks = sum(case["tasks"] for case in found)
        for case in found:
            for kind, number in (case.get("requests") or {}).items():
                row = kinds.setdefault(kind, dict.fromkeys(contenders, 0.0))
                row[contender] += number / tasks
    if not kinds:
        return []
    lines = ["", "### Requests per task by kind, 50 tasks", "", "| request | ours | stock Job | stock Pod |"]
    lines.append("| --- | --- | --- | --- |")
    for kind, row in sorted(kinds.items()):
        lines.append(f"| {kind} | " + " | ".join(f"{row[who]:.2f}" if row[who] else "-" for who in contenders) + " |")
    return lines


def _memory(cases: Cases) -> list[str]:
    lines = []
    kinds = (
        (OURS, "Triggerer", "running Jobs of one DAG"),
        (IDLE, "The same, anew", "tasks that only wait, by Airflow's own trigger"),
    )
    for contender, who, waiting in kinds:
        for case in of(cases, "memory", contender)[-1:]:
            before, then = (_list(case[f"triggerer_processes_mib_{when}"]) for when in ("before", "waiting"))
            lines += [
                "",
                f"{who}: {case['triggerer_mib_before']:g} MiB before, "
                f"{case['triggerer_mib_waiting']:g} MiB with {case['tasks']} {waiting}: "
                f"{case['mib_per_waiting_task']:.2f} MiB a task. Its processes: {before} before, {then} then.",
            ]
    return ["", "### Memory of waiting tasks", *lines] if lines else []


def _reasons(cases: Cases) -> list[str]:
    found: dict[tuple[str, str], int] = {}
    for case in cases:
        for reason, number in (case.get("reasons") or {}).items():
            key = (case["contender"], " ".join(reason.split()))
            found[key] = found.get(key, 0) + number
    if not found:
        return []
    lines = ["", "### Why tasks failed, in Airflow's words", ""]
    return lines + [f"- {TITLES[who]}, {number} times: `{reason}`" for (who, reason), number in sorted(found.items())]


def _list(values: list[float]) -> str:
    return ", ".join(f"{value:.0f}" for value in values) + " MiB"


def _seconds(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f} s"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
