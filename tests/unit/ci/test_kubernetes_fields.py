"""The fields of Kubernetes' objects that the package has."""

from ci.kubernetes_fields import TARGET, all_types, minors, written
from ci.pins import pins

# What each field's type may be, beside the name of another type; `cronlift.job.fields` knows these.
SCALARS = {"any", "boolean", "integer", "integer-or-string", "number", "object", "quantity", "string"}


def test_the_package_has_the_fields_of_every_minor_that_the_chart_installs_on() -> None:
    types = all_types()
    assert TARGET.read_text() == written(types), "run: python -m ci.kubernetes_fields"
    named = {kind.removeprefix("[]").removeprefix("{}") for fields in types.values() for kind in fields.values()}
    assert named <= SCALARS | types.keys()


def test_the_local_cluster_is_among_the_minors() -> None:
    assert int(pins()["KUBERNETES_VERSION"].split(".")[1]) in minors()
    assert minors()[0] == 29
