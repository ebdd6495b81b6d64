"""End a Job from outside: delete it, keep it from starting, or have Kubernetes remove it later."""

from cronlift import errors
from cronlift.cluster.client import Json, KubernetesClient
from cronlift.cluster.options import DeletePolicy, TaskLog
from cronlift.cluster.patience import persistently
from cronlift.job.conditions import Outcome

# The finished Job outlives its task by this long, see `Removal.tidy`.
TTL_SECONDS = 300
# How long to go on trying while the API server is away; Airflow gives on_kill 30 s.
CALL_PATIENCE_SECONDS = 25.0


class Removal:
    """Removes one Job.

    Args:
        client: Calls as the team's launcher.
        namespace: The Job's namespace.
        name: Its name.
        policy: When a finished Job is removed.
        log: The task's log.
    """

    def __init__(self, client: KubernetesClient, namespace: str, name: str, policy: DeletePolicy, log: TaskLog) -> None:
        self._client, self._namespace, self._name, self._policy, self._log = client, namespace, name, policy, log

    async def delete(self, uid: str, *, foreground: bool) -> None:
        """Delete the Job; say so when that is not possible."""

        async def delete() -> None:
            await self._client.delete_job(self._namespace, self._name, uid, foreground=foreground)

        try:
            await persistently(delete, CALL_PATIENCE_SECONDS)
        except errors.ClusterError as error:
            self._log.warning(f"The Job may still run, delete it by hand: {error}")

    async def give_up(self, uid: str) -> None:
        """Keep a Job that cannot start from ever starting behind the failed task's back."""
        if self._policy.removes(Outcome.FAILED):
            await self.delete(uid, foreground=False)
        else:
            await self._quietly("suspend", {"spec": {"suspend": True}})

    async def tidy(self, job: Json | None, outcome: Outcome) -> None:
        """Have Kubernetes remove the finished Job a few minutes from now.

        Not at once: between here and the moment when Airflow has stored the task's end, this process may die. Whoever
        takes over must find the finished Job, or would run it a second time.
        """
        if not self._policy.removes(outcome):
            return
        set_already = ((job or {}).get("spec") or {}).get("ttlSecondsAfterFinished")
        if set_already is None or set_already > TTL_SECONDS:
            await self._quietly("remove", {"spec": {"ttlSecondsAfterFinished": TTL_SECONDS}})

    async def _quietly(self, what: str, patch: Json) -> None:
        async def change() -> Json:
            return await self._client.patch_job(self._namespace, self._name, patch)

        try:
            await persistently(change, CALL_PATIENCE_SECONDS)
        except errors.NotFoundError:
            return
        except errors.ClusterError as error:
            self._log.warning(f"Cannot {what} the Job, do it by hand: {error}")
