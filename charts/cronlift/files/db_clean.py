"""Delete history that is older than DAYS from Airflow's database: db_clean.py DAYS."""

import os
import sys
from datetime import UTC, datetime, timedelta


def command(days: int, now: datetime) -> list[str]:
    """Return the command; without an archive, which would keep the rows in other tables of the same database."""
    before = (now - timedelta(days=days)).isoformat(timespec="seconds")
    return ["airflow", "db", "clean", "--clean-before-timestamp", before, "--skip-archive", "--yes"]


def main() -> None:
    """Become that command."""
    words = command(int(sys.argv[1]), datetime.now(UTC))
    os.execvp(words[0], words)  # noqa: S606 - no shell on purpose


if __name__ == "__main__":
    main()
