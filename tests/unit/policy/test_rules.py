"""Each rule in both of its languages: one bad Job each, and thousands of others on which the two must agree."""

import os
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cronlift.job.documents import Document, Places
from cronlift.policy import admission
from cronlift.policy.example import TEAM, bad_job, good_job, laid_over
from cronlift.policy.pods import PodView
from cronlift.policy.rule import Rule
from cronlift.policy.rules import RULES, applies, breaches, judge
from cronlift.policy.team import LEVELS, QUOTA_KEYS, TeamRules, read_team
from tests.unit.policy.cel_engine import Admission

APPARMOR = "container.apparmor.security.beta.kubernetes.io"
EXAMPLES = 2000 if os.environ.get("LONG") else 150
IN_CEL = [rule for rule in RULES if rule.cel]


def by_id(rule: Rule) -> str:
    return rule.id


def broken(job: dict[str, Any], team: TeamRules) -> list[str]:
    return sorted({rule.id for rule, _, _ in breaches(job, team)})


def refused(job: dict[str, Any], team: TeamRules) -> list[str]:
    policy = Admission(job, team)
    return sorted(rule.id for rule in IN_CEL if not policy.keeps(rule))


def test_a_good_job_keeps_every_rule_in_both_languages() -> None:
    assert broken(good_job(), TEAM) == []
    assert refused(good_job(), TEAM) == []


@pytest.mark.parametrize("rule", RULES, ids=by_id)
def test_the_bad_job_of_a_rule_breaks_that_rule_alone(rule: Rule) -> None:
    assert broken(bad_job(rule), TEAM) == [rule.id]
    assert refused(bad_job(rule), TEAM) == ([rule.id] if rule.cel else [])


@pytest.mark.parametrize("rule", RULES, ids=by_id)
def test_a_breach_is_told_with_its_place_its_cure_and_its_rule(rule: Rule) -> None:
    (fault,) = judge([Document(bad_job(rule))], Places("jobs/report.yaml", has_lines=False), TEAM)
    assert fault.rule == rule.id
    assert str(fault).startswith("jobs/report.yaml: ")
    assert str(fault).endswith(f"{rule.cure} [policy/{rule.id}]")
    assert fault.cure == rule.cure


@pytest.mark.parametrize("rule", RULES, ids=by_id)
def test_words_of_a_rule_are_sentences(rule: Rule) -> None:
    assert rule.what.endswith(".")
    assert rule.cure.endswith((".", "?"))
    assert len(rule.what) + len(rule.cure) < 220
    assert rule.id == rule.id.lower()


def test_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("level", LEVELS)
def test_a_laxer_standard_of_the_team_frees_it_from_the_stricter_rules(level: str) -> None:
    team = TeamRules(TEAM.namespace, level, TEAM.images, TEAM.quota)
    for rule in IN_CEL:
        expected = [rule.id] if applies(rule, team) else []
        assert broken(bad_job(rule), team) == refused(bad_job(rule), team) == expected


@pytest.mark.parametrize("level", ["baseline", "restricted"])
@pytest.mark.parametrize(
    ("pod", "rule"),
    [
        ("containers: [{securityContext: {seccompProfile: {type: Unconfined}}}]", "seccomp-unconfined"),
        ("containers: [{securityContext: {seccompProfile: {type: Localhost}}}]", None),
        ("containers: [{securityContext: {seLinuxOptions: {type: spc_t}}}]", "selinux"),
        ("securityContext: {seLinuxOptions: {user: system_u}}", "selinux"),
        ("securityContext: {seLinuxOptions: {role: system_r}}", "selinux"),
        ("securityContext: {seLinuxOptions: {type: container_t, level: 's0:c1'}}", None),
        ("initContainers: [{securityContext: {appArmorProfile: {type: Unconfined}}}]", "apparmor"),
        ("securityContext: {appArmorProfile: {type: Localhost, localhostProfile: own}}", None),
        ("containers: [{securityContext: {procMount: Default}}]", None),
        ("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}", None),
        ("containers: [{startupProbe: {httpGet: {host: other.example, port: 80}}}]", "host-probes"),
        ("containers: [{lifecycle: {preStop: {httpGet: {host: other.example, port: 80}}}}]", "host-probes"),
        ("containers: [{readinessProbe: {httpGet: {path: /ready, port: 80}}}]", None),
    ],
)
def test_what_the_namespace_would_refuse_of_a_pod_is_refused_of_its_job(pod: str, rule: str | None, level: str) -> None:
    job = laid_over(good_job(), {"spec": {"template": {"spec": yaml.safe_load(pod)}}})
    spec = job["spec"]["template"]["spec"]
    for each in spec.get("initContainers", []):
        each |= laid_over(spec["containers"][0], each)
    team = TeamRules(TEAM.namespace, level)
    assert broken(job, team) == refused(job, team) == ([rule] if rule else [])


@pytest.mark.parametrize(
    ("value", "kept"), [("runtime/default", True), ("localhost/own", True), ("", True), ("unconfined", False)]
)
def test_apparmor_is_not_switched_off_by_the_old_annotation(value: str, kept: bool) -> None:
    annotations = {f"{APPARMOR}/report": value, "example.com/apparmor": "unconfined"}
    job = laid_over(good_job(), {"spec": {"template": {"metadata": {"annotations": annotations}}}})
    assert broken(job, TEAM) == refused(job, TEAM) == ([] if kept else ["apparmor"])


@pytest.mark.parametrize(
    ("defaults", "spec", "resources", "fits"),
    [
        ({}, {}, {"limits": {"cpu": "64", "memory": "512Gi"}}, False),
        ({}, {}, {"limits": {"cpu": "64"}, "requests": {"cpu": "4"}}, True),
        ({"requests.cpu": "2"}, {"parallelism": 20}, {}, False),
        ({"requests.cpu": "2"}, {"parallelism": 20, "completions": 2}, {}, True),
        ({"requests.cpu": "2"}, {"parallelism": 20}, {"requests": {"cpu": "100m"}}, True),
        ({"requests.cpu": "2"}, {"parallelism": 20}, {"limits": {"cpu": "100m"}}, True),
        ({"limits.memory": "4Gi"}, {"parallelism": 3}, {"limits": {"cpu": "1"}}, False),
    ],
    ids=["limits", "own requests", "defaults", "completions", "requests first", "limits first", "default limit"],
)
def test_the_quota_counts_what_the_pods_will_request(
    defaults: dict[str, str], spec: dict[str, int], resources: dict[str, Any], fits: bool
) -> None:
    quota = {"requests.cpu": "4", "requests.memory": "8Gi", "limits.memory": "8Gi"}
    team = TeamRules(TEAM.namespace, quota=quota, defaults=defaults, must_request=(), must_limit=())
    job = laid_over(good_job(), {"spec": spec})
    job["spec"]["template"]["spec"]["containers"][0]["resources"] = resources
    assert broken(job, team) == refused(job, team) == ([] if fits else ["quota"])


IMAGES = (
    *("registry.example/report:1", "registry.example/report", "registry.example/report:latest", "report:1", "report"),
    *("docker.io/somebody/report:1", "localhost:5000/report", "localhost:5000/report:2", "registry.example/a:b:c"),
    f"registry.example/report@sha256:{'a' * 64}",
    f"registry.example/report:latest@sha256:{'a' * 64}",
    *("registry.example/report@sha256:12", "registry.example/report:", "registry.example/:1", "Registry.example/x:1"),
)
QUANTITIES = ("50m", "1", "4", "64", "64Mi", "8Gi", "100Gi", "0.1", "2e3")


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a mapping whose fields may each be missing."""
    drawn = st.fixed_dictionaries({}, optional=fields)
    return drawn.map(lambda found: {key: each for key, each in found.items() if each is not None})


AMOUNTS = mapping(cpu=st.sampled_from(QUANTITIES), memory=st.sampled_from(QUANTITIES))
BOOLEANS = st.booleans()
PROFILE = mapping(type=st.sampled_from(["RuntimeDefault", "Localhost", "Unconfined"]))
SELINUX = mapping(
    type=st.sampled_from(["", "container_t", "spc_t"]),
    user=st.sampled_from(["", "system_u"]),
    role=st.sampled_from(["", "system_r"]),
    level=st.just("s0"),
)
CAPABILITIES = mapping(
    add=st.lists(st.sampled_from(["NET_BIND_SERVICE", "CHOWN", "SYS_ADMIN"]), max_size=2),
    drop=st.lists(st.sampled_from(["ALL", "NET_RAW"]), max_size=2),
)
CONTAINER_SECURITY = mapping(
    privileged=BOOLEANS,
    allowPrivilegeEscalation=BOOLEANS,
    runAsNonRoot=BOOLEANS,
    runAsUser=st.sampled_from([0, 1000]),
    seccompProfile=PROFILE,
    capabilities=CAPABILITIES,
    procMount=st.sampled_from(["Default", "Unmasked"]),
    appArmorProfile=PROFILE,
    seLinuxOptions=SELINUX,
)
PROBE = st.sampled_from(["httpGet", "tcpSocket"]).flatmap(
    lambda action: st.fixed_dictionaries({action: mapping(host=st.sampled_from(["", "db.example"]), port=st.just(80))})
)
PORTS = st.lists(mapping(containerPort=st.just(80), hostPort=st.sampled_from([0, 80])), max_size=2)


def containers(least: int, **more: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    one = mapping(
        resources=mapping(requests=AMOUNTS, limits=AMOUNTS),
        securityContext=CONTAINER_SECURITY,
        ports=PORTS,
        livenessProbe=PROBE,
        lifecycle=mapping(preStop=PROBE),
        **more,
    )
    named = st.tuples(one, st.sampled_from(IMAGES)).map(lambda pair: {"name": "main", "image": pair[1], **pair[0]})
    return st.lists(named, min_size=least, max_size=2)


VOLUMES = st.lists(
    st.sampled_from(["emptyDir", "hostPath", "secret", "nfs", "configMap", "projected", "iscsi"]).map(
        lambda kind: {"name": "data", kind: {}}
    ),
    max_size=2,
)
PODS = st.fixed_dictionaries(
    {"containers": containers(1)},
    optional={
        "initContainers": containers(0, restartPolicy=st.just("Always")),
        "volumes": VOLUMES,
        "securityContext": mapping(
            runAsNonRoot=BOOLEANS,
            runAsUser=st.sampled_from([0, 1000]),
            seccompProfile=PROFILE,
            appArmorProfile=PROFILE,
            seLinuxOptions=SELINUX,
            sysctls=st.lists(
                mapping(name=st.sampled_from(["net.ipv4.tcp_syncookies", "kernel.msgmax"])).filter(bool), max_size=2
            ),
        ),
        "hostNetwork": BOOLEANS,
        "hostPID": BOOLEANS,
        "hostIPC": BOOLEANS,
        "serviceAccountName": st.sampled_from(["cronlift-job", "cronlift-launcher", "own"]),
        "serviceAccount": st.sampled_from(["cronlift-job", "cronlift-launcher"]),
    },
)
ANNOTATIONS = st.dictionaries(
    st.sampled_from([f"{APPARMOR}/main", "example.com/main"]),
    st.sampled_from(["", "runtime/default", "localhost/own", "unconfined"]),
)
TEMPLATES = st.fixed_dictionaries({"spec": PODS}, optional={"metadata": mapping(annotations=ANNOTATIONS)})
SPECS = st.tuples(TEMPLATES, mapping(parallelism=st.sampled_from([0, 1, 5]), completions=st.sampled_from([1, 3]))).map(
    lambda pair: {**pair[1], "template": pair[0]}
)
JOBS = st.tuples(SPECS, st.sampled_from(["team-billing", "team-other"])).map(
    lambda pair: {"metadata": {"name": "x", "namespace": pair[1]}, "spec": pair[0]}
)
OF_QUOTA_KEYS = mapping(**{key: st.sampled_from(QUANTITIES) for key in QUOTA_KEYS})
TEAMS = st.builds(
    TeamRules,
    namespace=st.just("team-billing"),
    level=st.sampled_from(LEVELS),
    images=st.sampled_from([(), ("registry.example/",), ("registry.example/report", "localhost:5000/")]),
    quota=OF_QUOTA_KEYS,
    defaults=OF_QUOTA_KEYS,
    must_request=st.sampled_from([(), ("memory",), ("cpu", "memory")]),
    must_limit=st.sampled_from([(), ("memory",)]),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(job=JOBS, team=TEAMS)
def test_both_languages_agree_on_every_job(job: dict[str, Any], team: TeamRules) -> None:
    in_python = [name for name in broken(job, team) if name != "clear-text"]
    assert refused(job, team) == in_python


@settings(max_examples=EXAMPLES, deadline=None)
@given(change=SPECS.map(lambda spec: {"spec": spec}), team=TEAMS)
def test_both_languages_agree_on_a_good_job_with_a_change(change: dict[str, Any], team: TeamRules) -> None:
    job = laid_over(good_job(), change)
    assert refused(job, team) == [name for name in broken(job, team) if name != "clear-text"]


@pytest.mark.parametrize("value", [None, "text", 3, [], [None], [3], {"x": 1}], ids=str)
@pytest.mark.parametrize("key", ["containers", "initContainers", "volumes", "securityContext", "hostNetwork"])
def test_a_pod_of_any_shape_is_looked_at_without_an_error(key: str, value: Any) -> None:
    job = good_job()
    job["spec"]["template"]["spec"][key] = value
    list(breaches(job, TEAM))
    assert list(PodView({"spec": value}).containers()) == []


def test_what_a_guess_stands_for_is_left_to_the_run() -> None:
    from cronlift.job.guess import Guess

    job = good_job()
    pod = job["spec"]["template"]["spec"]
    pod["containers"][0] |= {"image": str(Guess()), "env": [{"name": "DB_PASSWORD", "value": str(Guess())}]}
    pod["containers"][0]["livenessProbe"] = {"httpGet": {"host": str(Guess())}}
    pod["securityContext"] |= {
        "seccompProfile": {"type": str(Guess())},
        "seLinuxOptions": {"type": str(Guess())},
        "sysctls": [{"name": str(Guess())}],
    }
    job["spec"]["template"]["metadata"] = {"annotations": {f"{APPARMOR}/report": str(Guess())}}
    job["metadata"]["namespace"] = str(Guess())
    assert broken(job, TEAM) == []


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("DB_PASSWORD", "swordfish", True),
        ("PGPASSWORD", "swordfish", True),
        ("API_KEY", "0815", True),
        ("github_token", "ghp", True),
        ("DATABASE_URL", "postgres://billing:swordfish@db/billing", True),
        ("DATABASE_URL", "postgres://db/billing", False),
        ("DATABASE_URL", "postgres://billing:$(PASSWORD)@db/billing", False),
        ("PASSWORD_FILE", "/run/secrets/db", False),
        ("PASSWORD", "", False),
        ("PASSWORD", "$(OTHER)", False),
        ("PWD", "/srv", False),
        ("TOKENIZER", "spacy", False),
    ],
)
def test_secrets_in_clear_are_told_by_the_variable_or_the_url(name: str, value: str, found: bool) -> None:
    job = good_job()
    job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": name, "value": value}]
    assert broken(job, TEAM) == (["clear-text"] if found else [])


def test_a_team_is_read_from_its_entry_in_the_file() -> None:
    team = read_team(
        {
            "namespace": "team-x",
            "podSecurity": "baseline",
            "images": ["registry.example/x/"],
            "quota": {"cpu": 4, "limits.memory": "8Gi", "count/jobs.batch": "500"},
            "containerDefaults": {"requests": {"memory": "64Mi", "x/gpu": 1}, "limits": {"cpu": 1}},
        },
        more_images=["localhost:5000/legacy:3@sha256:0", "legacy"],
    )
    assert team == TeamRules(
        namespace="team-x",
        level="baseline",
        images=("registry.example/x/", "localhost:5000/legacy", "legacy"),
        quota={"requests.cpu": "4", "limits.memory": "8Gi"},
        defaults={"requests.cpu": "1", "requests.memory": "64Mi", "limits.cpu": "1"},
        must_request=(),
        must_limit=("memory",),
    )


def test_a_team_that_names_no_images_may_use_all() -> None:
    assert read_team({"namespace": "x"}, more_images=["legacy:1"]).images == ()


def test_expressions_are_written_over_known_variables() -> None:
    import re

    known = {*admission.VARIABLES, *admission.TEAM_VARIABLES}
    for text in (*admission.VARIABLES.values(), *(admission.expression(rule) for rule in IN_CEL)):
        assert set(re.findall(r"variables\.(\w+)", text)) <= known
