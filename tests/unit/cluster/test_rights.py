"""The Roles that `cronlift doctor` prints."""

from cronlift.cluster.rights import LAUNCHER_RULES, Right, Rule, impersonator_role, launcher_role


def test_a_rule_gives_every_verb_on_every_resource():
    rule = Rule(("pods", "pods/log"), ("get", "list"), names=("a",))
    assert list(rule.rights()) == [
        Right("get", "pods", "", "a"),
        Right("list", "pods", "", "a"),
        Right("get", "pods/log", "", "a"),
        Right("list", "pods/log", "", "a"),
    ]


def test_the_launchers_role_is_bound_to_the_launcher_of_the_same_namespace():
    role, binding = launcher_role("team-demo", companions=False)
    assert role["metadata"] == binding["metadata"] == {"name": "cronlift-launcher", "namespace": "team-demo"}
    assert role["rules"][0] == {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["create", "get", "list", "watch", "patch", "delete"],
    }
    assert binding["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "cronlift-launcher",
    }  # fmt: skip
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "cronlift-launcher", "namespace": "team-demo"}]


def test_companions_are_a_rule_more():
    def touched(companions):
        role, _ = launcher_role("team-demo", companions=companions)
        return {resource for rule in role["rules"] for resource in rule["resources"]}

    assert touched(True) - touched(False) == {"configmaps", "secrets", "persistentvolumeclaims"}


def test_no_right_of_a_launcher_touches_roles_or_the_making_of_pods():
    given = {(right.verb, right.resource) for rule in LAUNCHER_RULES for right in rule.rights()}
    assert {right for right in given if "role" in right[1] or right == ("create", "pods")} == set()


def test_who_may_become_the_launcher_is_an_account_or_a_user():
    role, binding = impersonator_role("team-demo", "system:serviceaccount:cronlift:cronlift-triggerer")
    assert role["rules"] == [
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts"],
            "resourceNames": ["cronlift-launcher"],
            "verbs": ["impersonate"],
        }
    ]
    account = {"kind": "ServiceAccount", "name": "cronlift-triggerer", "namespace": "cronlift"}
    assert (role["metadata"]["name"], binding["subjects"]) == ("cronlift-triggerer", [account])
    _, binding = impersonator_role("team-demo", "ann@example.com")
    assert binding["subjects"] == [{"kind": "User", "name": "ann@example.com", "apiGroup": "rbac.authorization.k8s.io"}]
