"""The demo jobs in their images, run as their manifests say, against sums that are computed here by other means."""

import csv
import gzip
import hashlib
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
import yaml

from ci.paths import ROOT
from tests.integration.image_fixtures import Open, image  # noqa: F401 - a fixture

ROOTFS = ROOT / "images/legacy/rootfs"
INVOICES = ROOT / "images/invoices/data"


@dataclass(frozen=True)
class Ran:
    """What a job printed and wrote."""

    code: int
    out: str
    folders: dict[str, Path]

    @property
    def result(self) -> str:
        # The rest of its line, not of the output: lines of stderr may come after it, see `Unpacked.run`.
        return self.out.rpartition("Result: ")[2].partition("\n")[0].strip()


def rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines(), delimiter=delimiter))


@pytest.fixture
def run_job(image: Open, tmp_path: Path) -> Callable[..., Ran]:  # noqa: F811
    """Run a manifest's container with folders of the host in place of its emptyDirs."""

    def run(stem: str, args: list[str] | None = None) -> Ran:
        pod = yaml.safe_load((ROOT / f"dags/demo/jobs/{stem}.yaml").read_text())["spec"]["template"]["spec"]
        container = pod["containers"][0]
        unpacked = image(re.fullmatch(r"{{ images\.(\w+) }}", container["image"])[1])
        folders = {mount["mountPath"]: tmp_path / mount["name"] for mount in container["volumeMounts"]}
        for folder in folders.values():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o777)
        user = pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]
        words = [*unpacked.config["Entrypoint"], *(args or container["args"])]
        done = unpacked.run(*words, user=user, volumes=folders, writable=[])
        return Ran(done.code, done.out, folders)

    return run


def test_php_imports_rates_and_rates_calls_to_the_ten_thousandth(run_job: Callable[..., Ran]) -> None:
    good, bad = [], 0
    for path in (ROOTFS / "var/www/rating/tables").glob("*.csv"):
        for row in rows(path, ";"):
            is_good = (
                row["prefix"].isdigit()
                and all(re.fullmatch(r"\d+\.\d{4}", row[key]) for key in ("connect", "per_minute"))
                and row["increment"].isdigit()
            )
            good.append(row) if is_good else None
            bad += not is_good
    total, rated, without, by_destination = Decimal(0), 0, 0, defaultdict(Decimal)
    for call in rows(ROOTFS / "var/www/rating/calls/2026-01-31.csv", ";"):
        fitting = [
            row for row in good if call["callee"].startswith(row["prefix"]) and row["valid_from"] <= call["start"][:10]
        ]
        if not fitting:
            without += 1
            continue
        rate = max(fitting, key=lambda row: (len(row["prefix"]), row["valid_from"]))
        seconds, step = Decimal(call["seconds"]), Decimal(rate["increment"])
        cost = Decimal(0)
        if seconds:
            billed = (seconds / step).to_integral_value(ROUND_CEILING) * step
            cost = Decimal(rate["connect"]) + (billed * Decimal(rate["per_minute"]) / 60).quantize(
                Decimal("0.0001"), ROUND_HALF_UP
            )
        rated += 1
        total += cost
        by_destination[rate["destination"]] += cost

    ran = run_job("import_rates")
    assert ran.code == 0, ran.out
    assert ran.result == (
        f"{len(good)} rates imported, {bad} refused; {rated} calls rated at {total:.4f} EUR, {without} without a rate"
    )
    assert bad == 4
    assert "america.csv:7: price per minute '-0.0440' is not like 0.0200" in ran.out
    output = ran.folders["/var/lib/rating"]
    written = {row["destination"]: Decimal(row["euro"]) for row in rows(output / "statistics.csv", ";")}
    assert written == by_destination
    database = sqlite3.connect(output / "rating.sqlite")
    assert database.execute("SELECT count(*), sum(cost) FROM calls").fetchone() == (rated, int(total * 10000))
    database.close()
    assert run_job("import_rates").result == ran.result


def test_bash_rotates_through_a_pipe_and_the_archive_holds_the_logs(run_job: Callable[..., Ran]) -> None:
    logs = sorted((ROOTFS / "srv/weblogs/incoming").glob("*-2026-01-30.log"))
    lines = [line.rsplit(" ", 2) for path in logs for line in path.read_text().splitlines()]
    served = sum(int(size) for _, _, size in lines if size != "-")
    failures = sum(int(code) >= 500 for _, code, _ in lines)

    ran = run_job("rotate_weblogs")
    assert ran.code == 0, ran.out
    assert ran.result == f"{len(logs)} logs rotated, {len(lines)} requests, {served} bytes served, {failures} failures"
    archive = ran.folders["/srv/weblogs/archive"]
    for path in logs:
        kept = archive / path.name.rpartition("-2026")[0] / "2026-01" / f"{path.name}.gz"
        assert gzip.decompress(kept.read_bytes()) == path.read_bytes()
        digest = hashlib.sha256(kept.read_bytes()).hexdigest()
        assert f"{digest}  {kept.relative_to(archive)}" in (archive / "SHA256SUMS").read_text().splitlines()
    assert (ran.folders["/var/log/weblogs"] / "rotate.log").read_text() == ""


def test_bash_says_what_is_no_request_and_a_failing_rotation_fails_the_job(run_job: Callable[..., Ran]) -> None:
    line = "/opt/weblogs/bin/rotate.sh %s 2>> /var/log/weblogs/rotate.log | /opt/weblogs/bin/report.pl"
    ran = run_job("rotate_weblogs", ["/bin/bash", "-o", "pipefail", "-c", line % "all"])
    assert ran.result.startswith("9 logs rotated, 630 requests")
    log = ran.folders["/var/log/weblogs"] / "rotate.log"
    assert "blog-2026-01-29.log:32: not a request" in log.read_text()
    assert run_job("rotate_weblogs", ["/bin/bash", "-o", "pipefail", "-c", line % "hourly"]).code != 0
    assert "usage: rotate.sh daily|all (got 'hourly')" in log.read_text()


def test_python_fills_days_once_and_goes_on_where_it_stopped(run_job: Callable[..., Ran]) -> None:
    data = ROOTFS / "opt/linkwatch/data"
    names = {row["domain"]: row["organisation"] for row in rows(data / "organisations.csv")}
    expected: Counter[tuple[str, str, str]] = Counter()
    for row in rows(data / "linkevents-2026-01.csv"):
        if row["domain"] in names:
            expected[(row["timestamp"][:10], names[row["domain"]], row["change"])] += 1
    added = sum(count for (_, _, change), count in expected.items() if change == "1")
    removed = sum(count for (_, _, change), count in expected.items() if change == "-1")

    line = "cd /opt/linkwatch && python manage.py fill_link_aggregates --until 2026-01-12"
    assert run_job("fill_link_aggregates", ["/bin/sh", "-c", line]).result.startswith("12 days filled")
    ran = run_job("fill_link_aggregates")
    assert ran.code == 0, ran.out
    assert ran.result == f"19 days filled for {len(names)} organisations; {added} links added, {removed} removed"
    written = rows(ran.folders["/var/lib/linkwatch"] / "link_aggregates.csv")
    assert len(written) == 31 * len(names)
    for row in written:
        key = row["day"], row["organisation"]
        assert (int(row["added"]), int(row["removed"])) == (expected[(*key, "1")], expected[(*key, "-1")])
    assert run_job("fill_link_aggregates").result.startswith("0 days filled")


def test_ruby_converts_at_the_last_rate_known_and_rounds_each_invoice(run_job: Callable[..., Ran]) -> None:
    rates = {
        (row["currency"], date.fromisoformat(row["date"])): Decimal(row["per_euro"])
        for row in rows(INVOICES / "rates.csv")
    }
    totals: dict[str, list[Decimal]] = defaultdict(list)
    without = 0
    for row in rows(INVOICES / "invoices.csv"):
        day = date.fromisoformat(row["date"])
        known = [when for currency, when in rates if currency == row["currency"] and when <= day]
        if row["currency"] != "EUR" and not known:
            without += 1
            continue
        rate = Decimal(1) if row["currency"] == "EUR" else rates[row["currency"], max(known)]
        totals[row["customer"]].append((Decimal(row["amount"]) / rate).quantize(Decimal("0.01"), ROUND_HALF_UP))
    count, total = sum(map(len, totals.values())), sum(sum(amounts) for amounts in totals.values())

    ran = run_job("convert_invoices")
    assert ran.code == 0, ran.out
    assert ran.result == (f"{count} invoices of {len(totals)} customers are {total:.2f} EUR; {without} without a rate")
    assert without == 3
    written = rows(ran.folders["/output"] / "totals-2026-01.csv")
    assert {row["customer"]: Decimal(row["euro"]) for row in written} == {
        customer: sum(amounts) for customer, amounts in totals.items()
    }


def test_ruby_refuses_a_month_without_invoices(run_job: Callable[..., Ran]) -> None:
    ran = run_job("convert_invoices", ["--month", "2031-01", "--output", "/output"])
    assert (ran.code, ran.out.strip()) == (1, "no invoices in 2031-01")
