"""What works, but probably not as meant."""

import pytest

from tests.unit.job.manifests import GOOD, advice


def with_spec(line: str) -> str:
    return GOOD.replace("  template:", f"  {line}\n  template:", 1)


def test_good_manifest_gets_no_advice(tmp_path):
    assert advice(GOOD, tmp_path, retries=3) == []


@pytest.mark.parametrize(
    ("text", "retries", "words"),
    [
        (with_spec("backoffLimit: 4"), 2, ["a.yaml:7: spec.backoffLimit", "retries=2", "backoffLimit: 4", "multiply"]),
        (with_spec("ttlSecondsAfterFinished: 0"), 0, ["a.yaml:7", "vanish", "delete_policy"]),
        (with_spec("suspend: true"), 0, ["a.yaml:7", "suspended", "kueue"]),
        (GOOD.replace("      containers", "      restartPolicy: OnFailure\n      containers"), 0,
         ["a.yaml:9", "OnFailure", "first restart"]),
    ],
    ids=["retries", "ttl", "suspend", "restart"],
)  # fmt: skip
def test_advice_has_its_place_and_cure(text, retries, words, tmp_path):
    (found,) = advice(text, tmp_path, retries)
    assert [word for word in words if word not in found] == []


@pytest.mark.parametrize(
    ("text", "retries"),
    [
        (with_spec("backoffLimit: 4"), 0),
        (with_spec("backoffLimit: 0"), 2),
        (with_spec('backoffLimit: "{{ params.n }}"'), 2),
        (with_spec("ttlSecondsAfterFinished: 60"), 0),
        (with_spec("suspend: true").replace("app: export", "kueue.x-k8s.io/queue-name: q"), 0),
        (
            with_spec("backoffLimit: 2").replace(
                "      containers", "      restartPolicy: OnFailure\n      containers"
            ),
            0,
        ),
    ],
)
def test_what_is_meant_gets_none(text, retries, tmp_path):
    assert advice(text, tmp_path, retries) == []
