"""Every object against the schemas of the oldest and newest supported Kubernetes, and of custom resources, offline."""

import subprocess

import kubernetes_validate
import pytest
import yaml

from ci.paths import ROOT
from ci.pins import pins
from ci.tools import tool
from tests.chart import kubernetes_schemas
from tests.chart.rendering import CASES, render, template

OLDEST = "1.29"
NEWEST = kubernetes_validate.latest_version().rpartition(".")[0]
LOCAL = pins()["KUBERNETES_VERSION"].removeprefix("v").rpartition(".")[0]
CUSTOM = ROOT / "tests/chart/schemas"
GITOPS = sorted((ROOT / "charts/environments").glob("*/*.yaml"))
NAME = "{{ .ResourceKind }}{{ .KindSuffix }}.json"

every_minor = pytest.mark.parametrize("minor", sorted({OLDEST, LOCAL, NEWEST}))


@pytest.fixture(scope="module")
def schemas(tmp_path_factory):
    """Return a function that gives the folder of a minor's schemas."""
    folders = {}

    def folder(minor):
        if minor not in folders:
            folders[minor] = tmp_path_factory.mktemp(f"kubernetes-{minor}")
            kubernetes_schemas.write(minor, folders[minor])
        return folders[minor]

    return folder


def kubeconform(text, *locations):
    """Return what kubeconform says of some YAML; a kind without a schema is a fault."""
    words = [word for location in locations for word in ("-schema-location", f"{location}/{NAME}")]
    answer = subprocess.run(
        [tool("kubeconform"), "-strict", "-summary", *words, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, answer.stdout + answer.stderr


@every_minor
def test_every_object_is_valid_and_has_no_unknown_field(minor, schemas):
    for name, values in CASES.items():
        rendered = template(*values, more=(f"--kube-version={minor}.0",)).stdout
        code, words = kubeconform(rendered, schemas(minor), CUSTOM)
        assert code == 0, f"{name}: {words}"


def test_a_misspelt_field_would_be_found(schemas):
    deployment = render().one("Deployment", "cronlift-scheduler")
    deployment["spec"]["template"]["spec"]["contaners"] = []
    code, words = kubeconform(yaml.safe_dump(deployment), schemas(LOCAL))
    assert (code, "contaners" in words) == (1, True)


@pytest.mark.parametrize("path", GITOPS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_gitops_files_fit_the_definitions_of_argo_cd_and_flux(path):
    code, words = kubeconform(path.read_text(), CUSTOM)
    assert code == 0, words


@pytest.mark.parametrize("path", [path for path in GITOPS if path.parent.name == "flux"], ids=lambda path: path.stem)
def test_neither_a_failed_test_nor_a_failed_release_makes_flux_uninstall_or_roll_back(path):
    [spec] = [t["spec"] for t in yaml.safe_load_all(path.read_text()) if t["kind"] == "HelmRelease"]
    assert spec["test"] == {"enable": True, "ignoreFailures": True}
    for action in ("install", "upgrade"):
        remediation = spec[action]["remediation"]
        assert remediation["retries"] == 0, action  # between retries it uninstalls, or rolls back
        assert not remediation.get("remediateLastFailure"), action
        assert remediation.get("ignoreTestFailures", True), action  # it would win over test.ignoreFailures


def test_a_misspelt_field_of_a_custom_resource_would_be_found():
    text = GITOPS[0].read_text().replace("targetRevision", "targetRevison")
    code, words = kubeconform(text, CUSTOM)
    assert (code, "targetRevison" in words) == (1, True)


def test_gitops_files_name_values_that_exist():
    for path in GITOPS:
        for thing in yaml.safe_load_all(path.read_text()):
            if thing["kind"] == "Application":
                source = thing["spec"]["source"]
                base = ROOT / source["path"]
                assert (base / "Chart.yaml").is_file()
                files = [base / name for name in source["helm"]["valueFiles"]]
            elif thing["kind"] == "HelmRelease":
                files = [ROOT / name for name in thing["spec"]["chart"]["spec"]["valuesFiles"]]
            else:
                continue
            assert [file.name for file in files] == ["teams.yaml", path.name]
            assert all(file.resolve().is_file() for file in files), path
