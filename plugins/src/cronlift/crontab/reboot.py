"""What a line of `@reboot` was for: a daemon, which belongs into a Deployment, or work to be done once.

Nobody can know it from the line alone; this is the guess that a person starts from.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from cronlift.crontab.command import CommandFacts

_DAEMON = re.compile(
    r"(?<![a-z])(?:[a-z]*server|[a-z]*daemon|workers?|listen(?:er)?|watch(?:er|dog)?|[a-z]*bot|proxy|consumer|scheduler"
    r"|monitor|tunnel|autossh|queue|serve|runserver|gunicorn|uwsgi|celery|supervisord|node-red|[a-z]*miner"
    r"|loop|forever|pm2|nodemon|flask|http-server|jupyter|ngrok|cloudflared)(?![a-z])"
    r"|-daemon|--daemon|\bssh\b.* -[a-zA-Z]*N|\b(?:redis|mysql|mongo|ssh|http|tele?graf|influx|tor|named|nginx)d\b",
    re.IGNORECASE,
)
"""Words of programs that run until they are stopped."""

_ONCE = frozenset(
    {
        "rm", "mkdir", "touch", "cp", "mv", "ln", "chmod", "chown", "find", "mail", "mailx", "sendmail", "esmtp",
        "msmtp", "curl", "wget", "logger", "git", "rsync", "mysql", "psql", "redis-cli", "date", "crontab", "make",
    }
)  # fmt: skip
"""Programs that end by themselves."""


class Boot(StrEnum):
    """What a line of `@reboot` was for."""

    DAEMON = "daemon"
    ONCE = "once"
    HOST = "host"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class BootGuess:
    """What it probably was for, in words.

    Args:
        kind: What.
        reason: Why, a sentence.
        cure: What to do, a sentence.
    """

    kind: Boot
    reason: str
    cure: str


def classify(command: str, facts: CommandFacts) -> BootGuess:
    """Guess what a line of `@reboot` was for.

    Args:
        command: What the shell gets.
        facts: What is known of it.
    """
    if facts.host_only:
        what = f"It prepares the old host: {' '.join(facts.host_only)}"
        return BootGuess(Boot.HOST, what, "Keep it on a host (`host`), or give it up.")
    if facts.background:
        return _daemon("It looks like a daemon, for it leaves a process behind.")
    if found := _DAEMON.search(command):
        return _daemon(f"It looks like a daemon, by `{found[0].strip()}`.")
    last = facts.programs[-1].rpartition("/")[2] if facts.programs else "echo"
    if last in _ONCE or last == "echo":
        what = "It looks like work that is done once."
        return BootGuess(Boot.ONCE, what, "Start it by hand when it is needed (`manual`), or give it up.")
    what = "Whether it runs for ever or ends by itself, the line does not tell."
    cure = "A daemon belongs into a Deployment (then `host` or `drop`), what ends by itself becomes `manual`."
    return BootGuess(Boot.UNKNOWN, what, cure)


def _daemon(reason: str) -> BootGuess:
    return BootGuess(Boot.DAEMON, reason, "Make it a Deployment, and decide `host` until then, or `drop`.")
