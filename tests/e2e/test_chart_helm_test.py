"""`helm test` on the live release: it succeeds, and says in words what is wrong when something is."""

from ci.kubectl import kubectl
from tests.live.chart_release import helm, try_helm
from tests.live.undo import Undoing, kubectl_words

QUOTA = ("create", "quota", "no-jobs", "--hard=count/jobs.batch=0", "--namespace=team-demo")
GONE = kubectl_words("delete", "quota", "no-jobs", "--namespace=team-demo", "--ignore-not-found")


def test_helm_test_succeeds_and_runs_a_job_in_each_teams_namespace(airflow):
    words = helm("test", "cronlift", "--logs")
    assert "are healthy" in words
    assert "ok team demo:" in words
    assert "a Job in team-demo succeeded" in words


def test_a_job_that_cannot_run_is_told_with_the_clusters_own_words(airflow):
    with Undoing(GONE):
        kubectl(*QUOTA)
        done = try_helm("test", "cronlift", "--logs", "--filter=name=cronlift-test-canary")
    assert done.returncode != 0
    assert "x team demo: the Job in team-demo did not succeed" in done.stdout + done.stderr
    assert "exceeded quota: no-jobs" in done.stdout + done.stderr
