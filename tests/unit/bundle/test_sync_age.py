"""The age of the last sync is what git-sync's counts say, not its health page nor its errors."""

from cronlift.bundle.sync_age import POLL_SECONDS, SyncAge, count_successes


def page(success=0, noop=0, error=0):
    counts = {"success": success, "noop": noop, "error": error}
    rows = [f'git_sync_count_total{{status="{key}"}} {value}' for key, value in counts.items()]
    return "\n".join(["# TYPE git_sync_count_total counter", *rows, 'git_sync_duration_seconds_count{status="noop"} 9'])


def test_success_and_noop_count_and_errors_do_not():
    assert count_successes(page(success=2, noop=3, error=50)) == 5
    assert count_successes('git_sync_count_total{instance="a",status="noop"} 1e+02\n') == 100


def test_age_grows_while_only_errors_are_counted():
    now, text = [0.0], [page(success=1)]
    age = SyncAge("http://x", read=lambda _: text[0], clock=lambda: now[0])
    assert age.seconds() == 0
    now[0], text[0] = 60, page(success=1, error=12)
    assert age.seconds() == 60
    now[0], text[0] = 70, page(success=1, noop=1, error=12)
    assert age.seconds() == 0


def test_before_the_first_sync_nothing_is_known():
    assert SyncAge("http://x", read=lambda _: page(error=3), clock=lambda: 0.0).seconds() is None


def test_silence_of_git_sync_is_age_too():
    now = [0.0]

    def read(_):
        if now[0] > 0:
            raise ConnectionRefusedError
        return page(success=1)

    age = SyncAge("http://x", read=read, clock=lambda: now[0])
    age.seconds()
    now[0] = 30
    assert age.seconds() == 30


def test_counts_are_read_only_now_and_then():
    now, calls = [0.0], []
    age = SyncAge("http://x", read=lambda url: calls.append(url) or page(success=1), clock=lambda: now[0])
    for step in range(10):
        now[0] = step * POLL_SECONDS / 10
        age.seconds()
    assert calls == ["http://x"]
    now[0] = POLL_SECONDS
    age.seconds()
    assert len(calls) == 2
