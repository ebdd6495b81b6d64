"""What the release may do, and what its containers are refused."""

import pytest

from cronlift.cluster import rights
from tests.chart.rendering import CASES, CLOUD, KEPT, LOCAL, TEAMS, TWO_TEAMS, every_values, render

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}


@every_values
def test_every_container_is_restricted(values):
    for name, container in render(*values).containers():
        context = container["securityContext"]
        assert {key: context.get(key) for key in RESTRICTED} == RESTRICTED, name
        assert context.get("runAsUser", 1) != 0, name


@every_values
def test_every_container_has_requests_and_limits_of_cpu_and_memory(values):
    for name, container in render(*values).containers():
        for kind in ("requests", "limits"):
            assert set(container["resources"][kind]) >= {"cpu", "memory"}, f"{name} {kind}"


@every_values
def test_no_pod_shares_the_hosts_namespaces_or_folders(values):
    for name, spec in render(*values).pods():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        assert not [volume for volume in spec.get("volumes", []) if "hostPath" in volume], name


@every_values
def test_no_image_is_latest(values):
    for name, container in render(*values).containers():
        assert ":" in container["image"].rpartition("/")[2], name
        assert not container["image"].endswith(":latest"), name


@every_values
def test_no_secret_has_data(values):
    for secret in render(*values).of("Secret"):
        assert not {"data", "stringData"} & set(secret)


@every_values
def test_every_pod_is_one_that_the_restricted_standard_admits(values):
    volumes = {
        "configMap",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
        "csi",
    }
    for name, spec in render(*values).pods():
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, name
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert context.get("runAsUser", 1) != 0, name
        assert not {"sysctls", "seLinuxOptions", "windowsOptions"} & set(context), name
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= volumes, f"{name}: {volume}"
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            inner = container["securityContext"]
            assert not inner.get("privileged"), name
            assert not inner["capabilities"].get("add"), name
            assert "procMount" not in inner, name
            assert not [port for port in container.get("ports", []) if "hostPort" in port], name


def test_only_those_that_call_the_kubernetes_api_mount_a_token():
    rendered = render(TEAMS, LOCAL)
    assert {name for name, spec in rendered.pods() if spec.get("automountServiceAccountToken") is not False} == set()
    mounting = {
        name
        for name, spec in rendered.pods()
        for volume in spec.get("volumes", [])
        for source in volume.get("projected", {}).get("sources", [])
        if "serviceAccountToken" in source
    }
    # test: the canary of `helm test`, which acts as the triggerer does.
    assert mounting == {"triggerer", "sweep", "bootstrap", "test"}
    assert {account.get("automountServiceAccountToken") for account in rendered.of("ServiceAccount")} == {False}


@pytest.mark.parametrize(
    ("component", "keys"),
    [
        ("api-server", {"postgres-password", "fernet-key", "api-secret-key", "jwt-secret", "admin-password"}),
        ("scheduler", {"postgres-password", "fernet-key", "api-secret-key", "jwt-secret"}),
        ("triggerer", {"postgres-password", "fernet-key", "api-secret-key"}),
        ("dag-processor", {"postgres-password", "fernet-key"}),
        ("migrate", {"postgres-password", "fernet-key"}),
        ("sweep", {"postgres-password"}),
        ("db-clean", {"postgres-password"}),
        ("postgres", {"postgres-password"}),
        ("metrics", {"postgres-password"}),
        ("log-clean", set()),
    ],
)
def test_a_pod_holds_only_the_keys_that_it_needs(component, keys):
    spec = dict(render(TEAMS, sets=("dbClean.enabled=true", "metrics.enabled=true")).pods())[component]
    found = {
        entry["valueFrom"]["secretKeyRef"]["key"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]
        for entry in container.get("env", [])
        if "secretKeyRef" in entry.get("valueFrom", {})
    }
    found |= {item["key"] for volume in spec["volumes"] for item in volume.get("secret", {}).get("items", [])}
    assert found - {"filled"} == keys


def test_nobody_waits_for_the_bootstrap_to_fill_a_secret_of_yours():
    rendered = render(TEAMS, sets=("secrets.existingSecret=mine",))
    volumes = {volume["name"] for _, spec in rendered.pods() for volume in spec.get("volumes", [])}
    assert "keys" not in volumes
    assert "keys" in {volume["name"] for _, spec in render(TEAMS).pods() for volume in spec.get("volumes", [])}


def test_the_clean_up_of_logs_has_the_logs_and_its_script_and_no_way_out():
    rendered = render(TEAMS)
    spec = rendered.pod("log-clean")
    assert {volume["name"] for volume in spec["volumes"]} == {"logs", "scripts"}
    assert "env" not in spec["containers"][0]
    account = spec["serviceAccountName"]
    bindings = rendered.of("RoleBinding")
    assert account not in {subject["name"] for binding in bindings for subject in binding["subjects"]}
    component = {"app.kubernetes.io/component": "log-clean"}.items()
    policies = [policy["spec"]["podSelector"].get("matchLabels", {}) for policy in rendered.of("NetworkPolicy")]
    # None of its own: under the default deny it gets nothing but names.
    assert not [labels for labels in policies if component <= labels.items()]


def test_launcher_may_exactly_what_operator_and_doctor_call():
    rules = render(TWO_TEAMS).one("Role", "cronlift-launcher", "team-demo")["rules"]
    assert {(resource, verb) for rule in rules for resource in rule["resources"] for verb in rule["verbs"]} == {
        *(("jobs", verb) for verb in ("create", "get", "list", "watch", "patch", "delete")),
        *(("pods", verb) for verb in ("get", "list", "watch")),
        ("pods/log", "get"),
        *(("events", verb) for verb in ("list", "watch")),
        ("serviceaccounts", "get"),
        ("resourcequotas", "list"),
    }


def test_further_objects_in_manifests_need_the_teams_consent():
    def touches_secrets(namespace):
        rules = render(TWO_TEAMS).one("Role", "cronlift-launcher", namespace)["rules"]
        return [rule["verbs"] for rule in rules if "secrets" in rule["resources"]]

    assert touches_secrets("team-billing") == [["create", "get", "patch"]]
    assert touches_secrets("team-demo") == []


@pytest.mark.parametrize(("namespace", "companions"), [("team-billing", True), ("team-demo", False)])
def test_the_doctor_prints_the_roles_that_the_chart_makes(namespace, companions):
    rendered = render(TWO_TEAMS)
    user = "system:serviceaccount:cronlift:cronlift-triggerer"
    wanted = rights.launcher_role(namespace, companions=companions) + rights.impersonator_role(namespace, user)
    for thing in wanted:
        made = rendered.one(thing["kind"], thing["metadata"]["name"], namespace)
        assert {key: made.get(key) for key in ("rules", "roleRef")} == {
            key: thing.get(key) for key in ("rules", "roleRef")
        }
        assert all(subject in made["subjects"] for subject in thing.get("subjects", []))


def test_triggerer_and_sweep_may_only_become_the_launcher_of_each_team():
    rendered = render(TWO_TEAMS)
    for namespace in ("team-billing", "team-demo"):
        [rule] = rendered.one("Role", "cronlift-triggerer", namespace)["rules"]
        assert rule == {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["cronlift-launcher"],
            "verbs": ["impersonate"],
        }
        assert rendered.one("RoleBinding", "cronlift-triggerer", namespace)["subjects"] == [
            {"kind": "ServiceAccount", "name": f"cronlift-{component}", "namespace": "cronlift"}
            for component in ("triggerer", "sweep")
        ]


@every_values
def test_nobody_but_triggerer_sweep_bootstrap_and_launchers_is_bound_to_a_role(values):
    bound = {subject["name"] for binding in render(*values).of("RoleBinding") for subject in binding["subjects"]}
    assert bound <= {"cronlift-triggerer", "cronlift-sweep", "cronlift-bootstrap", "cronlift-launcher"}
    assert not render(*values).of("ClusterRole")
    assert not render(*values).of("ClusterRoleBinding")


def test_bootstrap_may_get_and_patch_one_secret():
    assert render().one("Role", "cronlift-bootstrap")["rules"] == [
        {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["cronlift-secrets"], "verbs": ["get", "patch"]}
    ]


def test_secret_and_team_namespaces_outlive_an_uninstall():
    rendered = render(TEAMS)
    for thing in (rendered.one("Secret", "cronlift-secrets"), rendered.one("Namespace", "team-demo")):
        assert thing["metadata"]["annotations"].items() >= KEPT.items()


def test_team_namespace_enforces_its_pod_security():
    labels = render(TEAMS).one("Namespace", "team-demo")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_an_existing_namespace_is_left_alone():
    assert [thing["metadata"]["name"] for thing in render(TWO_TEAMS).of("Namespace")] == ["team-demo"]


@every_values
def test_every_pod_of_the_release_falls_under_the_default_deny(values):
    rendered = render(*values)
    policy = rendered.one("NetworkPolicy", "cronlift-default-deny")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    wanted = policy["podSelector"]["matchLabels"].items()
    for thing in rendered:
        spec = thing.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template", {})
        labels = template.get("metadata", {}).get("labels")
        if thing["kind"] == "Pod":
            labels = thing["metadata"]["labels"]
        if labels is not None:
            assert wanted <= labels.items(), thing["metadata"]["name"]


def test_team_jobs_cannot_reach_the_metadata_address():
    ingress = render(TEAMS).one("NetworkPolicy", "cronlift-ingress", "team-demo")["spec"]["ingress"]
    assert ingress == [{"from": [{"podSelector": {}}]}]
    _, rest = render(TEAMS).one("NetworkPolicy", "cronlift-egress", "team-demo")["spec"]["egress"]
    assert rest["to"][0]["ipBlock"]["except"] == ["169.254.169.254/32"]


def test_team_jobs_reach_pods_outside_the_release_and_its_login_where_blocks_of_addresses_mean_no_pods():
    names, rest = render(TEAMS).one("NetworkPolicy", "cronlift-egress", "team-demo")["spec"]["egress"]
    assert names == {"ports": names["ports"]}  # from a pod or an address of the node, which is in no peer at all
    namespace = "kubernetes.io/metadata.name"
    login = {"name": "cronlift", "instance": "cronlift", "component": "api-server"}
    assert [peer for peer in rest["to"] if "ipBlock" not in peer] == [
        {"namespaceSelector": {"matchExpressions": [{"key": namespace, "operator": "NotIn", "values": ["cronlift"]}]}},
        {
            "namespaceSelector": {"matchLabels": {namespace: "cronlift"}},
            "podSelector": {"matchLabels": {f"app.kubernetes.io/{key}": value for key, value in login.items()}},
        },
    ]


def test_policies_can_be_switched_off():
    assert render(TEAMS, sets=("networkPolicy.enabled=false",)).of("NetworkPolicy") == []


def test_no_variable_with_a_secret_has_a_value():
    secret = ("FERNET_KEY", "SECRET_KEY", "JWT_SECRET", "PASSWORD")
    for values in CASES.values():
        for name, container in render(*values).containers():
            for entry in container.get("env", []):
                assert not (entry["name"].endswith(secret) and "value" in entry), f"{name}: {entry['name']}"


def test_the_exporter_reaches_the_database_and_the_api_server_alone():
    policies = render(TEAMS, sets=("metrics.enabled=true",))
    ways = policies.one("NetworkPolicy", "cronlift-metrics")["spec"]["egress"]
    labels = [way["to"][0]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] for way in ways]
    assert list(zip(labels, [way["ports"] for way in ways], strict=True)) == [
        ("postgres", [{"port": 5432}]),
        ("api-server", [{"port": 8080}]),
    ]


def test_a_cloud_identity_is_that_of_airflow_pods_alone():
    annotated = {
        account["metadata"]["name"]
        for account in render(TWO_TEAMS, CLOUD).of("ServiceAccount")
        if "annotations" in account["metadata"]
    }
    components = ("api-server", "scheduler", "dag-processor", "triggerer", "migrate", "db-clean", "metrics", "notifier")
    assert annotated == {f"cronlift-{component}" for component in components}
