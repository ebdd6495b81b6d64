"""Every error that cronlift raises on purpose.

CronliftError
├── SettingsError             an environment variable of the deployment is missing or malformed
├── OperatorArgumentError     an argument of the operator is wrong (raised while the DAG file is parsed)
├── FaultError                something is wrong at a place of a file
│   ├── ManifestError         a manifest, or its template, is wrong
│   │   └── PolicyError       it is well, but not what a team's Jobs may be
│   ├── AuthoringError        what an author asked to write, or to change, is not right
│   ├── TeamsFileError        teams.yaml is wrong, or something that must agree with it does not
│   └── CrontabError          a crontab, or what was handed over with it, cannot be used
│       ├── CrontabFileError  a file cannot be read, or is no text
│       ├── ScheduleError     the time fields of a line are not what its daemon accepts
│       └── FlavourError      nothing, or too much, says which daemon read the crontabs
├── TeamError                 a DAG claims a team, a namespace or a name that is not its own
├── LateRunError              a run is later than its timetable allows, and is left out
├── DatabaseError             Airflow's database could not be read, or is not the deployment's
├── BundleError               a team's DAG folder could not be taken over from git; the last good copy stays
│   ├── SourceMissingError    what git-sync publishes is not there, or not whole; it may heal by itself
│   └── ContentRefusedError   what was committed is not taken over as it is
├── ClusterError              talking to the Kubernetes API failed
│   ├── ClusterConfigError    no cluster, or unreadable credentials
│   ├── ConnectionLostError   the API server could not be reached, or cut the connection
│   └── ApiError              the API server answered with an error
│       ├── UnauthorizedError       401
│       ├── ForbiddenError          403
│       ├── NotFoundError           404
│       ├── ConflictError           409
│       ├── WatchExpiredError       410
│       └── TooManyRequestsError    429
└── JobError                  the Job of a task
    ├── JobConflictError      its name is taken by something else
    ├── JobFailedError        it failed, was deleted, or never could start
    └── ResultError           it succeeded, but its result cannot be read
"""

from collections.abc import Sequence
from typing import Self


class CronliftError(Exception):
    """Base of every error that cronlift raises on purpose."""


class SettingsError(CronliftError):
    """An environment variable that the chart sets is missing or malformed."""


class OperatorArgumentError(CronliftError, ValueError):
    """An argument of the operator is wrong; the DAG does not import."""


class FaultError(CronliftError):
    """Say what is wrong, where, and the cure; or stand for every such fault of a file.

    Args:
        what: One sentence without a full stop.
        where: `file:line`, `file`, or another place a person can open; may be empty.
        cure: What to do about it, a whole sentence.
    """

    _of = ""
    """What several faults are said to be in."""

    faults: tuple[Self, ...]
    """The single faults that it stands for; itself when it is one."""

    def __init__(self: Self, what: str, *, where: str = "", cure: str) -> None:
        self.what, self.where, self.cure = what.rstrip("."), where, cure
        self.faults = (self,)
        super().__init__((f"{where}: {self.what}. {cure}" if where else f"{self.what}. {cure}").rstrip())

    @classmethod
    def all_of(cls, faults: Sequence[Self]) -> Self:
        """Join every fault into one error, so that all are put right at once.

        Args:
            faults: At least one.

        Returns:
            The single fault itself, or one error that lists them all, a line each, and has them as `faults`.
        """
        if len(faults) == 1:
            return faults[0]
        joined = cls.__new__(cls)
        FaultError.__init__(joined, f"{len(faults)} faults", cure="")
        joined.faults = tuple(faults)
        joined.args = ("\n".join([f"{len(faults)} faults{cls._of}:", *(f"- {fault}" for fault in faults)]),)
        return joined


class ManifestError(FaultError):
    """A manifest, or its template, is wrong."""

    _of = " in the manifest"


class PolicyError(ManifestError):
    """A manifest is well, but not what its team's Jobs may be.

    Args:
        what: One sentence without a full stop.
        where: As for every fault.
        cure: What to do about it.
        rule: Id of the rule in `cronlift.policy`.
    """

    def __init__(self, what: str, *, where: str = "", cure: str, rule: str) -> None:
        super().__init__(what, where=where, cure=f"{cure} [policy/{rule}]")
        # Of the text alone, for whom reads it in Airflow: a report of the pull request's check names the rule itself.
        self.cure, self.rule = cure, rule


class AuthoringError(FaultError):
    """What an author asked to write, or to change, is not right; nothing was written."""


class TeamsFileError(FaultError):
    """teams.yaml is wrong, or something that must agree with it does not."""


class CrontabError(FaultError):
    """A crontab, or what was handed over with it, cannot be used."""


class CrontabFileError(CrontabError):
    """A file cannot be read, is too large, or is no text."""


class ScheduleError(CrontabError, ValueError):
    """The time fields of a crontab line are not what its daemon accepts.

    Args:
        what: The fault with the words that are wrong, one sentence without a full stop.
        cure: The rule, and a good example.
    """

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what, cure=cure)


class FlavourError(CrontabError):
    """Nothing, or too much, says which daemon read the crontabs."""


class TeamError(CronliftError):
    """A DAG claims a team, a namespace or a name that is not its own."""


class LateRunError(CronliftError):
    """A run is later than its timetable's grace allows, and is left out."""


class DatabaseError(CronliftError):
    """Airflow's database could not be read, or is not the deployment's."""


class BundleError(CronliftError):
    """A team's DAG folder could not be taken over from git; the last good copy stays."""


class SourceMissingError(BundleError):
    """What git-sync publishes is not there, or not whole; it may heal by itself."""


class ContentRefusedError(BundleError):
    """What was committed is not taken over as it is: links out of the folder, huge files, files that vanished."""


class ClusterError(CronliftError):
    """Talking to the Kubernetes API failed."""


class ClusterConfigError(ClusterError):
    """There is no cluster to talk to, or its credentials cannot be read."""


class ConnectionLostError(ClusterError):
    """The API server could not be reached, or cut the connection."""


class ApiError(ClusterError):
    """The API server answered with an error.

    Args:
        call: What was asked, for example "create Job team-demo/export-x7".
        code: HTTP status code.
        reason: The reason of the Status object, for example "AlreadyExists"; may be empty.
        message: The message of the Status object.
        retry_after_seconds: What the server asks to wait, when it does.
    """

    def __init__(
        self, call: str, code: int, reason: str, message: str, retry_after_seconds: float | None = None
    ) -> None:
        self.call, self.code, self.reason, self.message = call, code, reason, message
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"Cannot {call}: the API server answered {code} {reason}: {message}".rstrip(": "))


class UnauthorizedError(ApiError):
    """401: the token has expired or is wrong."""


class ForbiddenError(ApiError):
    """403: a right is missing."""


class NotFoundError(ApiError):
    """404: the object, or its namespace, does not exist."""


class ConflictError(ApiError):
    """409: the object exists already, or was changed in between."""


class WatchExpiredError(ApiError):
    """410: the resource version of a watch or a list is too old."""


class TooManyRequestsError(ApiError):
    """429: the API server asks for a pause."""


class JobError(CronliftError):
    """The Job of a task."""


class JobConflictError(JobError):
    """The name of a task's Job is taken by something else."""


class JobFailedError(JobError):
    """The Job failed, was deleted, or never could start."""


class ResultError(JobError):
    """The Job succeeded, but its result is missing, malformed or too large."""
