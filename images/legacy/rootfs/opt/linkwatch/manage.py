#!/usr/bin/env python
"""Commands of the link watch: `python manage.py fill_link_aggregates [--until DAY]`.

Counts, for each organisation and day, the links to its sites that were added and removed. Days that are in the database
already are left alone, so that a command that is run again goes on where it stopped.
"""

import argparse
import csv
import os
import sqlite3
import sys
from datetime import date, timedelta

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
OUTPUT = "/var/lib/linkwatch"


def read_organisations():
    """Return domain -> organisation."""
    with open(os.path.join(DATA, "organisations.csv"), newline="") as file:
        return {row["domain"]: row["organisation"] for row in csv.DictReader(file)}


def read_events():
    """Yield day, domain and change of every link event."""
    for name in sorted(os.listdir(DATA)):
        if name.startswith("linkevents-"):
            with open(os.path.join(DATA, name), newline="") as file:
                for row in csv.DictReader(file):
                    yield date.fromisoformat(row["timestamp"][:10]), row["domain"], int(row["change"])


def open_database():
    """Return the database, made on first use."""
    database = sqlite3.connect(os.path.join(OUTPUT, "aggregates.sqlite"))
    database.execute(
        "CREATE TABLE IF NOT EXISTS link_aggregate"
        " (day TEXT, organisation TEXT, added INT, removed INT, PRIMARY KEY (day, organisation))"
    )
    return database


def fill_link_aggregates(until):
    """Fill the days after the last filled one, up to and including `until`."""
    database = open_database()
    organisations = read_organisations()
    last = database.execute("SELECT max(day) FROM link_aggregate").fetchone()[0]
    events = [event for event in read_events() if until is None or event[0] <= until]
    if not events:
        sys.exit("no link events to aggregate")
    day = date.fromisoformat(last) + timedelta(days=1) if last else min(event[0] for event in events)
    end = until or max(event[0] for event in events)
    filled, ignored = 0, 0
    with database:
        while day <= end:
            counts = {name: [0, 0] for name in organisations.values()}
            for _, domain, change in (event for event in events if event[0] == day):
                if domain not in organisations:
                    ignored += 1
                else:
                    counts[organisations[domain]][change < 0] += 1
            rows = [(day.isoformat(), name, added, removed) for name, (added, removed) in sorted(counts.items())]
            database.executemany("INSERT INTO link_aggregate VALUES (?, ?, ?, ?)", rows)
            filled += 1
            day += timedelta(days=1)
    export(database)
    added, removed = database.execute("SELECT sum(added), sum(removed) FROM link_aggregate").fetchone()
    print(f"{ignored} events of sites that nobody watches were ignored")
    print(f"Result: {filled} days filled for {len(organisations)} organisations; {added} links added, {removed} removed")


def export(database):
    """Write the aggregates as CSV for the dashboard, and each organisation's sum to the log."""
    path = os.path.join(OUTPUT, "link_aggregates.csv")
    with open(path + ".new", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "organisation", "added", "removed"])
        writer.writerows(database.execute("SELECT * FROM link_aggregate ORDER BY day, organisation"))
    os.replace(path + ".new", path)
    sums = "SELECT organisation, sum(added) - sum(removed) FROM link_aggregate GROUP BY 1 ORDER BY 2 DESC, 1"
    for organisation, net in database.execute(sums):
        print(f"{organisation:<20} {net:+5d} links")


def main():
    """Run the command that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fill = commands.add_parser("fill_link_aggregates")
    fill.add_argument("--until", type=date.fromisoformat)
    options = parser.parse_args()
    fill_link_aggregates(options.until)


if __name__ == "__main__":
    main()
