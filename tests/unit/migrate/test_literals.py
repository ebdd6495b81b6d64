"""What an expression stands for."""

import ast

import kubernetes.client.models as models
import pytest

from cronlift.migrate.literals import api_field, dotted_name, value_of

NAMES = {"k8s": "kubernetes.client.models", "client": "kubernetes.client", "V1EnvVar": "kubernetes.client.V1EnvVar"}


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("'a' 'b'", "ab"),
        ("-1", -1),
        ("('a', True)", ["a", True]),
        ("{'a': [1.5, None]}", {"a": [1.5, None]}),
        ("k8s.V1Volume(name='v', empty_dir={})", {"name": "v", "emptyDir": {}}),
        ("V1EnvVar(name='A', value=None)", {"name": "A"}),
        ("client.models.V1ContainerPort(host_ip='::1', container_port=80)", {"hostIP": "::1", "containerPort": 80}),
    ],
)
def test_literals_and_models_have_a_value(text: str, value: object) -> None:
    assert value_of(expression(text), NAMES) == value


@pytest.mark.parametrize(
    "text",
    ["IMAGE", "f'{x}'", "a + 'b'", "{**more}", "{1: 'a'}", "k8s.V1Volume('v')", "k8s.V1Volume(**more)", "dict(a=1)",
     "b'bytes'", "[each for each in them]", "other.V1Volume(name='v')"],
)  # fmt: skip
def test_anything_else_is_refused_and_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        value_of(expression(text), NAMES)
    assert str(caught.value) == text


def test_a_long_expression_is_quoted_in_part() -> None:
    with pytest.raises(ValueError, match=r"^'x+\.\.\.$|^f'x+\.\.\.$") as caught:
        value_of(expression(f"f'{'x' * 100}'"), NAMES)
    assert len(str(caught.value)) == 60


def test_a_name_that_is_not_imported_refers_to_nothing() -> None:
    assert dotted_name(expression("other.V1Volume"), NAMES) == ""


def _attributes_of_a_job() -> dict[str, str]:
    """Every attribute of a model that a Job may hold, as the kubernetes client itself translates it."""
    found, waiting, seen = {}, ["V1Job"], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        model = getattr(models, name, None)
        if not hasattr(model, "attribute_map"):
            continue
        found |= model.attribute_map
        for kind in model.openapi_types.values():
            waiting += [part for part in kind.replace("[", " ").replace("]", " ").split() if part.startswith("V1")]
    return found


def test_fields_are_named_as_the_kubernetes_client_names_them() -> None:
    attributes = _attributes_of_a_job()
    assert len(attributes) > 250
    # A volume of Fibre Channel: the client's releases disagree about the attribute's own name.
    wrong = {name: field for name, field in attributes.items() if api_field(name) != field and name != "target_wwns"}
    assert wrong == {}
