"""What the package exports, and what importing it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import cronlift
from cronlift import errors

PACKAGE = Path(cronlift.__file__).parent


STEPS = {
    "package": "import cronlift",
    "airflow": "import airflow.sdk.bases.operator, airflow.timetables.base",
    "operator": "import cronlift.airflow.operator",
    "timetable": "import cronlift.airflow.timetable",
    "policy": "import cronlift.airflow.policy",
    "trigger": "import cronlift.airflow.trigger",
}
"""What one process imports, one after the other: Airflow's own modules take their time."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """Return which modules are there after each step."""
    code = "".join(f"{statement}\nprint(*sys.modules)\n" for statement in STEPS.values())
    done = subprocess.run([sys.executable, "-c", f"import sys\n{code}"], capture_output=True, text=True, check=True)
    return {step: set(line.split()) for step, line in zip(STEPS, done.stdout.splitlines(), strict=True)}


def test_all_names_what_the_package_offers():
    assert cronlift.__all__ == sorted(cronlift._HOMES)
    for name in cronlift.__all__:
        assert getattr(cronlift, name) is not None
    assert dir(cronlift) == cronlift.__all__


def test_unknown_name_is_an_attribute_error_that_lists_the_known():
    with pytest.raises(AttributeError, match="KubernetesJobOperator"):
        _ = cronlift.KubernetesPodOperator


def test_importing_the_package_loads_nothing(loaded):
    assert {name for name in loaded["package"] if name.startswith("cronlift")} == {"cronlift"}
    assert not loaded["package"] & {"airflow", "jinja2", "yaml", "aiohttp", "kubernetes"}


@pytest.mark.parametrize("step", ["operator", "timetable", "policy", "trigger"])
def test_airflow_side_loads_no_http_client(loaded, step):
    """The DAG processor imports the operator for each file; the triggerer imports the trigger on its event loop."""
    assert not loaded[step] & {"kubernetes", "aiohttp", "cronlift.cluster.client"}


def test_operator_adds_only_light_modules_to_airflows_own(loaded):
    """Airflow itself loads the policy, by its entry point, in every process."""
    added = loaded["operator"] - loaded["airflow"]
    assert {name for name in loaded["airflow"] if name.startswith("cronlift.")} <= {
        "cronlift.airflow", "cronlift.airflow.policy", "cronlift.airflow.settings",
        "cronlift.airflow.success_callbacks", "cronlift.airflow.warmup",
        "cronlift.errors", "cronlift.job", "cronlift.job.naming", "cronlift.policy", "cronlift.policy.team",
    }  # fmt: skip
    assert {name for name in added if name.startswith("cronlift.")} <= {
        "cronlift.airflow", "cronlift.airflow.arguments", "cronlift.airflow.operator", "cronlift.airflow.outcome",
        "cronlift.airflow.trigger_arguments", "cronlift.airflow.worker", "cronlift.errors",
    }  # fmt: skip
    assert not added & {"jinja2", "yaml"}


def test_timetable_adds_only_modules_of_this_package(loaded):
    """What a DAG file costs: nothing but what Airflow has loaded, and this package's few modules."""
    added = {name.split(".")[0] for name in loaded["timetable"] - loaded["operator"]}
    assert not added & {"jinja2", "yaml", "aiohttp", "kubernetes"}


def test_every_error_has_the_one_base():
    found = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)]
    assert found
    assert [each for each in found if not issubclass(each, errors.CronliftError)] == []


def test_tree_of_errors_names_every_error():
    classes = {
        each.__name__ for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)
    }
    assert [name for name in classes if name not in errors.__doc__] == []


def test_no_module_swallows_errors_without_a_name():
    for path in PACKAGE.rglob("*.py"):
        bare = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.ExceptHandler) and not node.type
        ]
        assert bare == [], path


def test_stock_provider_is_not_imported():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.startswith("airflow.providers.cncf")], path
