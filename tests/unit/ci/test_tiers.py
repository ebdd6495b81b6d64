from ci.test import Outcome, Tier, report, run_tiers

PASSES = Tier("good", ("this",))


def outcome(state: str) -> Outcome:
    return Outcome(PASSES, state, "no Docker" if state == "skipped" else "", 1.0)


def test_skipped_tier_is_named_with_its_reason_and_fails_only_ci() -> None:
    text, is_well = report([outcome("passed"), outcome("skipped")], in_ci=False)
    assert "skipped" in text
    assert "no Docker" in text
    assert is_well
    assert not report([outcome("passed"), outcome("skipped")], in_ci=True)[1]


def test_failed_tier_fails_everywhere() -> None:
    assert not report([outcome("failed")], in_ci=False)[1]


def test_failed_tier_does_not_stop_the_next(capfd) -> None:
    tiers = (Tier("bad", ("no_such_module",)), Tier("good", ("this",)))
    assert [found.state for found in run_tiers(tiers, [], {})] == ["failed", "passed"]


def test_tier_that_cannot_run_says_why() -> None:
    (found,) = run_tiers((Tier("live", ("this",), why_not=lambda: "no root"),), [], {})
    assert (found.state, found.reason) == ("skipped", "no root")
