"""Every rendered object against the schemas of the oldest and the newest supported Kubernetes, offline."""

import kubernetes_validate
import pytest

from ci.pins import pins
from tests.chart.rendering import every_values, render

OLDEST = "1.29"
NEWEST = kubernetes_validate.latest_version().rpartition(".")[0]
LOCAL = pins()["KUBERNETES_VERSION"].removeprefix("v").rpartition(".")[0]


@every_values
@pytest.mark.parametrize("minor", sorted({OLDEST, LOCAL, NEWEST}))
def test_every_object_is_valid_and_has_no_unknown_field(values, minor):
    faults = []
    for thing in render(*values):
        try:
            kubernetes_validate.validate(thing, minor, strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{thing['kind']}/{thing['metadata']['name']}: {error.message}")
    assert faults == []


def test_a_misspelt_field_would_be_found():
    deployment = render().one("Deployment", "cronlift-scheduler")
    deployment["spec"]["template"]["spec"]["contaners"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, LOCAL, strict=True)
