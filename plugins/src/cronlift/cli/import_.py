"""`cronlift import`: crontabs become DAGs and Jobs, and every line gets a verdict.

Exit codes: 0 every line is settled, 1 a line needs a decision or something cannot be imported, 2 wrong usage.
"""

import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cronlift.cli.crontab_files import Inputs, read_inputs
from cronlift.cli.fires import moment
from cronlift.cli.import_files import Team, diff_of, read_team, read_texts, with_shown_paths, write_all
from cronlift.crontab import decisions as decided
from cronlift.crontab.decisions_edit import add_entries, group_entry, line_entry
from cronlift.crontab.flavour import sniff_flavour
from cronlift.crontab.ids import slug_of
from cronlift.crontab.model import Crontab, Flavour, Format, Verdict
from cronlift.crontab.parse import parse_crontab
from cronlift.crontab.plan import Plan, PlannedLine, Settings, make_plan, utc_midnight_after
from cronlift.crontab.plan_model import one_line
from cronlift.crontab.proposals import ANACRON, FOLDER, called_folders, folder_sources, with_proposals
from cronlift.crontab.report import Report, as_text, known_groups, known_ids, read_report, report_of
from cronlift.crontab.run_parts import read_folders
from cronlift.crontab.write import (
    IMPORT_FOLDER,
    REPORT_JSON,
    Fate,
    FileChange,
    changes_of,
    files_of,
    fingerprint,
    kept_fingerprints,
)
from cronlift.crontab.zones import find_zone
from cronlift.errors import CronliftError, CrontabError

_TEAM = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?\Z")
_SAID = {
    Fate.NEW: "+",
    Fate.CHANGED: "~",
    Fate.REMOVED: "-",
    Fate.OVERWRITTEN: "!",
    Fate.BESIDE: "?",
    Fate.KEPT: "=",
}


@click.command("import")
@click.argument("paths", nargs=-1, required=True, metavar="FILE...")
@click.option("--flavour", type=click.Choice(["auto", "debian", "cronie"]), default="auto", show_default=True,
              help="The old server's daemon.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["auto", "user", "system"]), default="auto", show_default=True,
              help="Whether lines have a column with the user.")  # fmt: skip
@click.option("--user", metavar="NAME", help="Whose crontab it is, where no column says so.")
@click.option("--timezone", "zone", required=True, metavar="ZONE", help="The old server's, for example Europe/Paris.")
@click.option("--team", required=True, metavar="TEAM", help="Whose DAGs they become.")
@click.option("--repo", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", show_default=True,
              metavar="DIR", help="The repository's root.")  # fmt: skip
@click.option("--host", metavar="NAME", help="The old server's name, part of the DAG ids; decisions.yaml keeps it.")
@click.option("--start", type=moment, metavar="ISO", help="When new DAGs begin; the next midnight, UTC, by default.")
@click.option("--live", is_flag=True, help="New DAGs run their commands at once, for a crontab that runs nowhere else.")
@click.option("--strict", is_flag=True, help="Take a missing line feed, CRLF and a byte order mark as the daemon does.")
@click.option("--complete", is_flag=True, help="FILEs are all there is: what came from other files is removed.")
@click.option("--overwrite", is_flag=True, help="Replace files that were edited by hand, too.")
@click.option("--dry-run", is_flag=True, help="Show what would be written, and write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print what happened as JSON.")
def import_command(
    paths: Sequence[str],
    flavour: str,
    form: str,
    user: str | None,
    zone: str,
    team: str,
    repo: Path,
    host: str | None,
    start: datetime | None,
    live: bool,
    strict: bool,
    complete: bool,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Make DAGs and Jobs of crontabs, with a verdict on every line.

    FILE is `crontab -l` output, /etc/crontab, a file of cron.d, an anacrontab, a folder of scripts, a tree or a tarball
    of /etc/cron* and /var/spool/cron, or the tarball of the inventory; `-` is stdin. An import again shows what
    changes, keeps ids, and never replaces what was edited by hand unless --overwrite says so.

    Exit code: 0 every line is settled, 1 a line needs a decision or something cannot be imported, 2 wrong usage.
    """
    if not _TEAM.match(team):
        raise click.UsageError(f"--team {team!r} is no team name. A good one has small letters, digits and -: billing.")
    try:
        find_zone(zone)
    except CronliftError as error:
        raise click.UsageError(f"--timezone: {error}") from error
    now = datetime.now(UTC)
    try:
        inputs = with_shown_paths(read_inputs(paths))
        context = _Context(repo, read_team(repo, team), inputs, host)
        chosen, said = _flavour(flavour, inputs)
        settings = context.settings(zone, start or utc_midnight_after(now), live=live)
        crontabs, proposals = _read_crontabs(inputs, chosen, form, user, strict)
        groups = known_groups(context.earlier)
        gone = set(groups) if complete else set()
        known = known_ids(context.earlier)
        plan = make_plan(crontabs, settings, context.decisions, known, groups, proposals, gone)
        report = report_of(plan, None if complete else context.earlier)
        changes, decisions_text = _changes(plan, report, context, overwrite, complete)
        if not dry_run:
            write_all(repo, changes, context.always(report, decisions_text))
    except CronliftError as error:
        click.echo(f"cronlift: {error}", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_as_json(plan, report, changes, dry_run), indent=2, ensure_ascii=False))
    else:
        for change in changes:
            click.echo(diff_of(change), nl=False)
    said += [
        *_skipped_scripts(inputs, chosen),
        *_idle_decisions(context.decisions, report),
        *inputs.warnings,
        *context.team.warnings,
    ]
    _tell(said, plan, report, changes, dry_run, context.folder)
    if report["counts"][str(Verdict.NEEDS_DECISION)]:
        sys.exit(1)


class _Context:
    """What is in the repository already.

    Args:
        repo: Its root.
        team: As teams.yaml has it.
        inputs: What was handed over.
        host: The old host's name from the command line.
    """

    def __init__(self, repo: Path, team: Team, inputs: Inputs, host: str | None) -> None:
        self.repo, self.team, self.inputs, self.folder = repo, team, inputs, team.folder
        self.place = repo / team.folder / IMPORT_FOLDER
        report, decisions = self.place / REPORT_JSON, self.place / decided.FILE_NAME
        texts = read_texts([report, decisions])
        self.earlier: Report | None = read_report(texts[report], str(report)) if report in texts else None
        named = slug_of(host or inputs.facts.name.partition(".")[0]) or decided.DEFAULT_HOST
        self.text = texts.get(decisions) or decided.new_text(team.name, named)
        self.decisions = decided.read_decisions(self.text, str(decisions))
        self.host = slug_of(host or "") or self.decisions.host or named

    def settings(self, zone: str, start: datetime, *, live: bool) -> Settings:
        old = {name: decided.User(each.uid, each.gid, each.home) for name, each in self.inputs.facts.users.items()}
        return Settings(
            team=self.team.name,
            zone=zone,
            host=self.host,
            start=start,
            state="live" if live else "shadow",
            users=old,
            language=self.inputs.facts.locale or "",
            image=self.team.image,
            allows_root=self.team.allows_root,
            namespace=self.team.namespace,
        )

    def always(self, report: Report, decisions_text: str) -> dict[str, str]:
        """Return what is written whatever was edited: the report's data, and the decisions with their additions."""
        folder = f"{self.folder}/{IMPORT_FOLDER}"
        return {f"{folder}/{REPORT_JSON}": as_text(report), f"{folder}/{decided.FILE_NAME}": decisions_text}


def _flavour(given: str, inputs: Inputs) -> tuple[Flavour, list[str]]:
    if given != "auto":
        return Flavour(given), []
    guess = sniff_flavour(inputs.sources, inputs.facts)
    return guess.flavour, [] if guess.sure else [f"The daemon is taken to be {guess.explain()}."]


def _read_crontabs(
    inputs: Inputs, flavour: Flavour, form: str, user: str | None, strict: bool
) -> tuple[list[Crontab], dict[str, str]]:
    """Read every file; all faults at once."""
    crontabs: list[Crontab] = []
    faults: list[CrontabError] = []
    proposals = {}
    chosen = None if form == "auto" else Format(form)
    users = inputs.facts.user_names
    for source in inputs.sources:
        if source.kind == "run-parts":
            continue
        try:
            crontab = parse_crontab(source, flavour, chosen, user, strict, users)
            crontabs.append(with_proposals(crontab))
            if source.kind == "anacrontab":
                proposals[source.path] = ANACRON
        except CrontabError as error:
            faults.extend(error.faults)
    if faults:
        raise CrontabError.all_of(faults)
    folders = read_folders(inputs.sources, flavour)
    for source in folder_sources(folders, called_folders(crontabs), flavour):
        crontabs.append(parse_crontab(source, flavour, Format.SYSTEM))
        proposals[source.path] = FOLDER
    return crontabs, proposals


def _skipped_scripts(inputs: Inputs, flavour: Flavour) -> list[str]:
    """Tell of the scripts that lie in a folder of run-parts, and never ran."""
    scripts = (script for folder in read_folders(inputs.sources, flavour) for script in folder.scripts)
    return [f"{each.source.path} never ran: {each.skipped}." for each in scripts if each.skipped]


def _idle_decisions(decisions: decided.Decisions, report: Report) -> list[str]:
    """Tell of decisions about lines that are not there: a slip of the pen, or a line that is gone."""
    ids = {line["id"] for line in report["lines"]}
    return [
        f"{decided.FILE_NAME}: lines.{each} is about no line; remove it, or correct the id."
        for each in decisions.lines
        if each not in ids
    ]


def _changes(
    plan: Plan, report: Report, context: _Context, overwrite: bool, complete: bool
) -> tuple[list[FileChange], str]:
    """Find out what happens to each file, and what decisions.yaml gets."""
    files = files_of(plan, report, context.folder)
    before: dict[str, str] = (context.earlier or {}).get("files", {})
    kept = {} if complete else kept_fingerprints(context.earlier, plan, context.folder)
    found = read_texts([context.repo / path for path in {*files, *before}])
    on_disk = {path.relative_to(context.repo).as_posix(): text for path, text in found.items()}
    changes = changes_of(files, on_disk, before, kept, overwrite=overwrite)
    report["files"] = dict(sorted({**kept, **{path: fingerprint(text) for path, text in files.items()}}.items()))
    return changes, _decisions_text(plan, context)


def _decisions_text(plan: Plan, context: _Context) -> str:
    new_groups = [
        group_entry(group.name, group.decision.state, group.decision.start)
        for group in plan.groups
        if group.is_new and group.jobs_or_undecided
    ]
    text = add_entries(context.text, "groups", new_groups)
    entries = [
        line_entry(each.id, _comments(each))
        for each in plan.undecided
        if each.id is not None and each.id not in context.decisions.lines
    ]
    return add_entries(text, "lines", entries)


def _comments(planned: PlannedLine) -> list[str]:
    shown = (f"{planned.line.where}: {planned.raw.strip()}", planned.judgement.reason, planned.judgement.cure)
    return [one_line(each) for each in shown]


def _as_json(plan: Plan, report: Report, changes: Sequence[FileChange], dry_run: bool) -> dict[str, Any]:
    return {
        "team": plan.settings.team,
        "dry_run": dry_run,
        "counts": report["counts"],
        "lines": report["lines"],
        "changes": [{"path": each.target, "fate": str(each.fate)} for each in changes if each.fate is not Fate.SAME],
        "undecided": [line["id"] for line in report["lines"] if line["verdict"] == str(Verdict.NEEDS_DECISION)],
    }


def _tell(
    said: Sequence[str],
    plan: Plan,
    report: Report,
    changes: Sequence[FileChange],
    dry_run: bool,
    folder: str,
) -> None:
    """Say on stderr what happened, and what is next."""
    read = [report["groups"][group.name] for group in plan.groups]
    for each in (*said, *(f"{group['file']}: {text}" for group in read for text in group["warnings"])):
        click.echo(f"· {each}", err=True)
    for change in changes:
        if change.fate in (Fate.BESIDE, Fate.KEPT, Fate.OVERWRITTEN):
            words = {
                Fate.BESIDE: f"was edited by hand and stays; the new version is {change.target}",
                Fate.KEPT: "was edited by hand and stays",
                Fate.OVERWRITTEN: "was edited by hand and is replaced",
            }[change.fate]
            click.echo(f"{_SAID[change.fate]} {change.path} {words}", err=True)
    for line in report["lines"]:
        if line["verdict"] == str(Verdict.NEEDS_DECISION):
            click.echo(f"✗ {line['file']}:{line['line']}: {line['reason']} {line['cure']}", err=True)
    counts = {verdict: count for verdict, count in report["counts"].items() if count}
    total = sum(report["counts"].values())
    told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    click.echo(f"{_lines(total)}: {told or 'the files are empty'}", err=True)
    fates = [change.fate for change in changes]
    written = ", ".join(f"{fates.count(fate)} {fate}" for fate in Fate if fates.count(fate))
    click.echo(f"{'Would write' if dry_run else 'Files'}: {written}", err=True)
    undecided = report["counts"][str(Verdict.NEEDS_DECISION)]
    place = f"{folder}/{IMPORT_FOLDER}"
    if dry_run:
        click.echo("Next: the same without --dry-run", err=True)
    elif undecided:
        click.echo(f"Next: decide {_lines(undecided)} in {place}/{decided.FILE_NAME}, then import again", err=True)
    else:
        click.echo(f"Next: read {place}/REPORT.md, then: cronlift prove {folder}", err=True)


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"
