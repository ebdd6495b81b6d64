"""Drive thousands of our triggers on one event loop, as a triggerer does, and measure this process.

A program of its own, so that its memory and CPU are those of the triggers alone. It reads commands from stdin and
answers on stdout, one JSON object a line:

    {"do": "grow", "to": 500, "per_second": 100}   start triggers; answers when all their Pods run
    {"do": "stand", "seconds": 30}                 measure while nothing happens
    {"do": "finish"}                               answer when all have ended, and exit

In between it tells how many there are. Airflow itself takes no part: the end of a task is the event that its trigger
yields.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TextIO

from cronlift.airflow.trigger import JobTrigger
from cronlift.cluster import hub as hub_module
from cronlift.cluster.hub import Hub
from cronlift.cluster.metrics import API_REQUESTS
from cronlift.cluster.watch import SharedWatch
from cronlift.job.naming import TaskIdentity, job_name
from tests.bench.operators.figures import spread

TELL_SECONDS = 1.0
RUN_SIZE = 100
"""Tasks that share a run id, as in a DAG of so many."""


@dataclass
class OneTask:
    """What a trigger asks of its task instance."""

    dag_id: str
    run_id: str
    task_id: str
    id: str
    map_index: int = -1
    try_number: int = 1


@dataclass
class Collected:
    """Measurements of the package's own metrics, as `cronlift.cluster.metrics.Metrics`."""

    counts: Counter[str] = field(default_factory=Counter)
    timings: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def count(self, name: str, value: int = 1, **tags: str) -> None:
        self.counts[" ".join([name, *(tags[key] for key in ("verb", "resource", "outcome") if key in tags)])] += value

    def timing(self, name: str, seconds: float, **tags: str) -> None:
        self.timings[name].append(seconds)

    def gauge(self, name: str, value: float, **tags: str) -> None:
        pass

    def requests(self) -> dict[str, int]:
        """Return the requests so far, by verb and resource."""
        prefix = f"{API_REQUESTS} "
        return {name.removeprefix(prefix): count for name, count in self.counts.items() if name.startswith(prefix)}


class ManyTriggers:
    """The triggers and what is measured of them.

    Args:
        files: Name -> source of the manifest's templates, the entry first.
        answers: Where answers go.
    """

    def __init__(self, files: dict[str, str], answers: TextIO) -> None:
        self._kwargs = json.dumps({"entry": next(iter(files)), "files": files, "logs": "off"})
        self._answers = answers
        self._metrics = Collected()
        self._tasks: list[asyncio.Task[None]] = []
        self._outcomes: Counter[str] = Counter()
        self._seen_after: list[float] = []
        self._doing = ""

    async def obey(self, command: dict[str, Any]) -> dict[str, Any]:
        """Do what a command says and return what was measured."""
        self._doing = command.pop("do")
        # Not while it stands: counting would be measured too.
        teller = asyncio.create_task(self._tell()) if self._doing != "stand" else None
        try:
            answer: dict[str, Any] = await getattr(self, f"_{self._doing}")(**command)
            return {"done": self._doing, **answer}
        finally:
            if teller is not None:
                teller.cancel()

    def say(self, **words: Any) -> None:
        """Write a line to whoever gives the commands."""
        self._answers.write(json.dumps(words) + "\n")
        self._answers.flush()

    async def _grow(self, to: int, per_second: float) -> dict[str, Any]:
        if not self._tasks:
            hub_module.use(Hub(metrics=self._metrics))
        started, cpu = time.monotonic(), time.process_time()
        first = len(self._tasks)
        for number in range(first, to):
            self._tasks.append(asyncio.create_task(self._one(number)))
            ahead = (number + 1 - first) / per_second - (time.monotonic() - started)
            if ahead > 0:
                await asyncio.sleep(ahead)
        while self._running() < to:  # noqa: ASYNC110 - the watch has nobody else to tell
            await asyncio.sleep(TELL_SECONDS / 2)
        return {
            "running": to,
            "grow_seconds": round(time.monotonic() - started, 1),
            "grow_cpu_seconds": round(time.process_time() - cpu, 2),
            "rss_mib": rss_mib(),
        }

    async def _stand(self, seconds: float) -> dict[str, Any]:
        before, cpu, started = self._metrics.requests(), time.process_time(), time.monotonic()
        await asyncio.sleep(seconds)
        minutes = (time.monotonic() - started) / 60
        made = {name: count - before.get(name, 0) for name, count in self._metrics.requests().items()}
        return {
            "running": self._running(),
            "rss_mib": rss_mib(),
            "cpu_seconds_per_minute": round((time.process_time() - cpu) / minutes, 2),
            "requests": {name: count for name, count in made.items() if count},
            "requests_per_minute": round(sum(made.values()) / minutes, 1),
        }

    async def _finish(self) -> dict[str, Any]:
        started, cpu = time.monotonic(), time.process_time()
        await asyncio.gather(*self._tasks)
        await hub_module.hub().close()
        return {
            "outcomes": dict(self._outcomes),
            "finish_seconds": round(time.monotonic() - started, 1),
            "finish_cpu_seconds": round(time.process_time() - cpu, 2),
            "detection_seconds": spread(self._metrics.timings["cronlift.job.detection_seconds"]),
            "task_end_seconds": spread(self._seen_after),
            "cpu_seconds": round(time.process_time(), 2),
            "requests": self._metrics.requests(),
        }

    async def _one(self, number: int) -> None:
        task_instance = OneTask(
            dag_id=f"{os.environ['SCALE_TEAM']}__scale",
            run_id=f"manual__{number // RUN_SIZE:03}",
            task_id=f"work_{number % RUN_SIZE:03}",
            id=f"{number:08x}-0000-0000-0000-000000000000",
        )
        # Each its own copy, as a triggerer reads each from the database.
        trigger = JobTrigger(**json.loads(self._kwargs))
        trigger.trigger_id = number + 1
        trigger.task_instance = task_instance  # type: ignore[assignment]
        trigger.render_template_fields({"ti": task_instance, "task_instance": task_instance})
        async for event in trigger.run():
            self._outcomes[type(event).__name__] += 1
            self._note_end(task_instance)

    def _note_end(self, task_instance: OneTask) -> None:
        identity = TaskIdentity(os.environ["CRONLIFT_DEPLOYMENT"], task_instance.dag_id, task_instance.run_id,
                                task_instance.task_id, -1, 1)  # fmt: skip
        job = self._watch().jobs.store.get(job_name(identity))
        for condition in ((job or {}).get("status") or {}).get("conditions") or ():
            if condition["type"] == "Complete":
                ended = datetime.fromisoformat(condition["lastTransitionTime"]).timestamp()
                self._seen_after.append(time.time() - ended)

    def _watch(self) -> SharedWatch:
        [watch] = hub_module.hub()._watches.values()
        return watch

    def _running(self) -> int:
        if not hub_module.hub()._watches:
            return 0
        return sum((pod.get("status") or {}).get("phase") == "Running" for pod in self._watch().pods.store.values())

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            ended = self._outcomes.total()
            self.say(doing=self._doing, started=len(self._tasks), running=self._running(), ended=ended)


def rss_mib() -> float:
    """Return this process's resident memory."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


async def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Airflow prints must not get between the answers
    triggers = ManyTriggers(json.loads(os.environ["SCALE_FILES"]), answers)
    while line := await asyncio.to_thread(sys.stdin.readline):
        answer = await triggers.obey(json.loads(line))
        triggers.say(**answer)
        if answer["done"] == "finish":
            break


if __name__ == "__main__":
    asyncio.run(_main())
