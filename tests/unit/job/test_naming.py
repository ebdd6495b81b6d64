"""The name of a task instance's Job."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronlift.job.naming import (
    NAME_LIMIT,
    TaskIdentity,
    annotations,
    digest,
    is_leftover,
    is_ours,
    job_name,
    labels,
    selector,
    task_instance_hash,
)

IDENTITY = TaskIdentity("cronlift/cronlift", "billing__invoices", "scheduled__2026-01-01", "group.export", -1, 1)
texts = st.text(min_size=1, max_size=250)
identities = st.builds(TaskIdentity, texts, texts, texts, texts, st.integers(-1, 10**6), st.integers(1, 10**4))


def test_name_is_readable_without_team_and_task_group():
    assert re.fullmatch(r"invoices-export-[0-9a-f]{10}", job_name(IDENTITY))


def test_name_does_not_change_between_releases():
    """A release that names Jobs differently would run every try twice that a triggerer takes over."""
    assert job_name(IDENTITY) == "invoices-export-4ef8155e0f"


@given(identities)
def test_every_name_is_a_dns_label_that_leaves_room_for_pods(identity):
    name = job_name(identity)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= NAME_LIMIT


@given(identities)
def test_name_is_the_same_each_time(identity):
    assert job_name(identity) == job_name(replace(identity))


@given(identities, identities)
def test_different_tries_have_different_names(one, other):
    assert (job_name(one) == job_name(other)) == (one == other)


@pytest.mark.parametrize(
    "change",
    [
        {"deployment": "cronlift/other"}, {"dag_id": "billing__other"}, {"run_id": "manual__1"}, {"task_id": "other"},
        {"map_index": 0}, {"try_number": 2},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_each_part_of_the_identity_counts(change):
    assert job_name(replace(IDENTITY, **change)) != job_name(IDENTITY)


def test_parts_cannot_be_shifted_between_fields():
    assert digest("ab", "c") != digest("a", "bc")


@given(identities)
def test_labels_are_valid_label_values(identity):
    for value in labels(identity).values():
        assert re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", value)


def test_tries_of_one_task_instance_share_its_label():
    assert task_instance_hash(IDENTITY) == task_instance_hash(replace(IDENTITY, try_number=7))
    assert task_instance_hash(IDENTITY) != task_instance_hash(replace(IDENTITY, map_index=7))


def test_selector_matches_the_deployments_own_labels_only():
    key, value = selector(IDENTITY.deployment).split("=")
    assert labels(IDENTITY)[key] == value
    assert labels(replace(IDENTITY, deployment="other/other"))[key] != value


def test_annotations_hold_the_ids_in_full():
    assert annotations(IDENTITY)["cronlift.dev/task-id"] == "group.export"
    assert annotations(IDENTITY)["cronlift.dev/try-number"] == "1"


def job(**annotated) -> dict:
    return {"metadata": {"annotations": annotations(replace(IDENTITY, **annotated)) | {"cronlift.dev/spec-hash": "a"}}}


def test_instance_id_is_no_part_of_the_name():
    """Who takes a try over may know less of it than who began it, and must come to the same name."""
    assert job_name(replace(IDENTITY, instance_id="x")) == job_name(IDENTITY)
    assert annotations(replace(IDENTITY, instance_id="x"))["cronlift.dev/task-instance-id"] == "x"
    assert "cronlift.dev/task-instance-id" not in annotations(IDENTITY)


@pytest.mark.parametrize(
    ("found", "ours", "leftover"),
    [
        (job(instance_id="1"), True, False),
        (job(), True, False),
        (job(instance_id="2"), False, True),
        (job(instance_id="1", run_id="other"), False, False),
        (job(instance_id="2", run_id="other"), False, False),
        ({"metadata": {}}, False, False),
    ],
    ids=["same", "instance not known", "deleted run", "other run", "other run and instance", "somebody else's"],
)
def test_job_under_our_name_is_ours_or_a_deleted_runs_or_neither(found, ours, leftover):
    wanted = job(instance_id="1")
    assert (is_ours(found, wanted), is_leftover(found, wanted)) == (ours, leftover)


def test_job_from_other_sources_is_not_ours():
    found = job(instance_id="1")
    found["metadata"]["annotations"]["cronlift.dev/spec-hash"] = "b"
    assert not is_ours(found, job(instance_id="1"))
    assert not is_leftover(found, job(instance_id="1"))


def test_leftover_of_a_deleted_run_may_come_from_other_sources():
    found = job(instance_id="2")
    found["metadata"]["annotations"]["cronlift.dev/spec-hash"] = "b"
    assert is_leftover(found, job(instance_id="1"))
