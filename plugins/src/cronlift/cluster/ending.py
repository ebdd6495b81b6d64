"""Draw the conclusion from a Job's end: its result, or why it failed, the most telling first."""

from collections.abc import Sequence

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.failure import report_failure
from cronlift.cluster.options import LifeOptions, Result, TaskLog
from cronlift.cluster.results import Results
from cronlift.job.conditions import Outcome, Verdict

MOST_JOB_EVENTS = 5
# What every Job goes through, and what its condition says already.
_ROUTINE = {"SuccessfulCreate", "SuccessfulDelete", "Completed", "BackoffLimitExceeded"}
# The one failure that says of itself that trying again is pointless: somebody wrote a rule for it.
_FINAL_REASON = "PodFailurePolicy"


class Ending:
    """How one Job's task ends.

    Args:
        client: Reads what is needed to explain a failure.
        log: The task's log.
        job: `namespace/name` of the Job.
        options: What the task asks for.
        results: Gathered while the Job ran; None when nobody wants a result.
    """

    def __init__(
        self, client: KubernetesClient, log: TaskLog, job: str, options: LifeOptions, results: Results | None
    ) -> None:
        self._client, self._log, self._job, self._options, self._results = client, log, job, options, results

    async def conclude(self, verdict: Verdict, job: Json, pods: Sequence[Json]) -> Result:
        """Say in the task's log how the Job ended, once its logs are read.

        Args:
            verdict: Of the Job's conditions.
            job: The Job as last seen.
            pods: Its Pods as last seen, oldest first.
        """
        if verdict.outcome is Outcome.FAILED:
            return await self._conclude_failure(verdict, pods)
        if self._results is None:
            self._log.info(f"Job {self._job} succeeded")
            return Result(verdict.outcome, self._job, "")
        self._results.look(pods)
        try:
            value = self._results.value(job)
        except errors.ResultError as error:
            message = f"Job {self._job} succeeded, but the task fails for want of its result. {error}"
            self._log.error(message)
            return Result(Outcome.FAILED, self._job, message)
        self._log.info(f"Job {self._job} succeeded and gave a result")
        return Result(verdict.outcome, self._job, "", value, has_value=True)

    async def _conclude_failure(self, verdict: Verdict, pods: Sequence[Json]) -> Result:
        message = f"Job {self._job} failed: {verdict.explain()}"
        self._log.error(message)
        hidden = not self._options.reads_logs or self._options.tail_lines is not None
        findings = await report_failure(self._client, self._log, pods, with_lines=hidden)
        if not findings:
            findings = await self._job_events()
            for finding in findings:
                self._log.error(finding)
        may_retry = verdict.reason != _FINAL_REASON
        return Result(verdict.outcome, self._job, "; ".join([message, *findings[:1]]), may_retry=may_retry)

    async def _job_events(self) -> list[str]:
        namespace, _, name = self._job.partition("/")
        try:
            events = await self._client.list_events(namespace, "Job", name)
        except errors.ClusterError:
            return []  # they only add to what is known
        telling = [each for each in events if each.get("reason") not in _ROUTINE]
        return [f"Event {each.get('reason')}: {each.get('message')}" for each in telling[-MOST_JOB_EVENTS:]]
