"""Runs one line of the old crontab as the old daemon ran it. Standard library only; see docs/cronrun.md."""
