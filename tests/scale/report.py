"""build/scale.json and docs/scale.md from the figures of a run: what lies between the marks is generated."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

from ci.paths import ROOT
from ci.pins import pins
from tests.live import measurements

PAGE = ROOT / "docs/scale.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def keep(machine: dict[str, Any], cluster: str, found: dict[str, Any], *, to_docs: bool) -> None:
    """Write the figures; what this run did not measure stays as the last one left it, in the long form.

    Args:
        machine: What `measurements.machine` said before.
        cluster: Name of the cluster's kind.
        found: `direct` and `airflow`, as far as they were measured.
        to_docs: Also write the page.
    """
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    about = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "machine": machine, "cluster": cluster,
        "commit": commit.stdout.strip(), "kwok": pins()["KWOK_VERSION"], "airflow": pins()["AIRFLOW_VERSION"],
        "kubernetes": pins()["KUBERNETES_VERSION"],
    }  # fmt: skip
    parts: dict[str, Any] = {}
    if "direct" in found:
        parts["direct"] = {"about": about, **found["direct"]}
    for each in found.get("airflow", []):
        parts[f"airflow_{each['triggerers']}"] = {"about": about, **each}
    name = "scale" if to_docs else "scale-short"
    path = measurements.BUILD / f"{name}.json"
    before = json.loads(path.read_text()) if to_docs and path.is_file() else {}
    content = {**before, **parts}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")
    print(f"\n{json.dumps(parts, indent=2)}")
    if to_docs:
        write_page(content)


def write_page(content: dict[str, Any]) -> None:
    """Write the generated part of the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(content)}\n{END}{after}")


def markdown(content: dict[str, Any]) -> str:
    """Return the tables of all parts that were measured."""
    lines: list[str] = []
    through = [content[name] for name in ("airflow_1", "airflow_2") if name in content]
    if through:
        lines += _through_airflow(through)
    if "direct" in content:
        lines += _direct(content["direct"])
    return "\n".join(lines)


def _through_airflow(cases: list[dict[str, Any]]) -> list[str]:
    lines = [
        "## Through Airflow",
        "",
        _machine(cases[-1]["about"]),
        "",
        "| triggerers | Jobs at once | started in | CPU to start, a task (triggerer) | triggerer's memory | CPU while "
        "they stand, a minute (triggerer) | API requests a minute |",
        "|" + " --- |" * 7,
    ]
    for case in cases:
        lines.append(f"| {case['triggerers']} | 0 | | | {case['idle_rss_mib']:.0f} MiB | | |")
        for step in case["steps"]:
            standing = step["cpu_seconds_per_minute"]
            requests = step["requests_per_minute"]
            cells = [
                case["triggerers"], f"{step['running']:,}", f"{step['start_seconds']:.0f} s",
                f"{step['start_cpu_seconds_per_task']:.2f} s ({step['start_triggerer_cpu_seconds_per_task']:.2f} s)",
                f"{step['rss_mib']:.0f} MiB", f"{sum(standing.values()):.1f} s ({standing['triggerer']:.1f} s)",
                "not counted" if requests is None else f"{requests:g}",
            ]  # fmt: skip
            lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += [
        "",
        "| triggerers | tasks | failed | memory a task | Jobs end over | all tasks ended after | Job's end to known by "
        "its task, p50 / p90 / p99 / most | Job's end to the task's, the same | CPU to end, a task (triggerer) |",
        "|" + " --- |" * 9,
    ]
    for case in cases:
        cells = [
            case["triggerers"], f"{case['tasks']:,}", case["failed"], f"{case['mib_per_task']:.2f} MiB",
            f"{case['over_seconds']:.0f} s", f"{case['end_seconds']:.0f} s", _spread(case.get("detection_seconds")),
            _spread(case["task_end_seconds"]),
            f"{case['end_cpu_seconds_per_task']:.2f} s ({case['end_triggerer_cpu_seconds_per_task']:.2f} s)",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return [*lines, ""]


def _direct(case: dict[str, Any]) -> list[str]:
    total = sum(case["outcomes"].values())
    lines = [
        "## By driving triggers and watch directly",
        "",
        _machine(case["about"]),
        "",
        "| Jobs at once | started in | process's memory | CPU while they stand, a minute | API requests a minute |",
        "|" + " --- |" * 5,
    ]
    for step in case["steps"]:
        lines.append(
            f"| {step['running']:,} | {step['grow_seconds']:.0f} s | {step['rss_mib']:.0f} MiB | "
            f"{step['cpu_seconds_per_minute']:.2f} s | {step['requests_per_minute']:g} |"
        )
    per_task = case["cpu_seconds"] / total
    requests = ", ".join(f"{number:,} {kind}" for kind, number in sorted(case["requests"].items()))
    return [
        *lines,
        "",
        f"{case['outcomes'].get('TaskSuccessEvent', 0):,} of {total:,} succeeded. Memory a task: "
        f"{case['mib_per_task']:.3f} MiB. CPU a task, from start to end: {per_task:.3f} s. The Jobs ended over "
        f"{case['over_seconds']:.0f} s.",
        "",
        "| | p50 / p90 / p99 / most |",
        "| --- | --- |",
        f"| Job's end to known by its task | {_spread(case['detection_seconds'])} |",
        f"| Job's end to the trigger's event | {_spread(case['task_end_seconds'])} |",
        "",
        f"All requests of the run: {requests}.",
        "",
    ]


def _machine(about: dict[str, Any]) -> str:
    machine = about["machine"]
    return (
        f"{about['at'][:10]}, {machine['cpus']} cores ({machine['cpu'].strip()}), {machine['memory_gib']:g} GiB, "
        f"kernel {machine['kernel']}, the {about['cluster']} cluster; load before {machine['load_before']:g}. Airflow "
        f"{about['airflow']}, Kubernetes {about['kubernetes']}, kwok {about['kwok']}, commit {about['commit']}."
    )


def _spread(found: dict[str, float] | None) -> str:
    return " / ".join(f"{found[key]:.2f}" for key in ("p50", "p90", "p99", "max")) + " s" if found else "-"


if __name__ == "__main__":
    write_page(json.loads((measurements.BUILD / "scale.json").read_text()))
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}\n")
