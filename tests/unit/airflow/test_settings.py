"""The deployment's environment variables, and what is said when they are wrong."""

import json

import pytest

from cronlift.airflow import settings
from cronlift.errors import SettingsError, TeamError

TEAMS = '{"demo": {"namespace": "team-demo", "serviceAccount": "own"}, "b2": {"namespace": "team-b2"}}'


def test_teams_are_read_with_their_defaults():
    teams = settings.read_teams({"CRONLIFT_TEAMS": TEAMS})
    assert teams["demo"] == settings.Team("demo", "team-demo", "own")
    assert teams["b2"].service_account == "cronlift-job"
    assert teams["b2"].launcher == "system:serviceaccount:team-b2:cronlift-launcher"
    assert teams["b2"].defaults == {}


@pytest.mark.parametrize("key", ["rules", "entry"])
def test_what_containers_get_is_read_from_the_rules_and_from_an_entry_of_teams_yaml(key):
    given = {"containerDefaults": {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}}}
    entry = {"namespace": "team-demo", **({"rules": given} if key == "rules" else given)}
    team = settings.read_teams({"CRONLIFT_TEAMS": json.dumps({"demo": entry})})["demo"]
    assert team.defaults == {"requests.cpu": "50m", "requests.memory": "1Gi", "limits.memory": "1Gi"}


@pytest.mark.parametrize(
    ("read", "environment", "words"),
    [
        (settings.read_deployment, {}, "CRONLIFT_DEPLOYMENT is not set"),
        (settings.read_deployment, {"CRONLIFT_DEPLOYMENT": " "}, "CRONLIFT_DEPLOYMENT is not set"),
        (settings.read_teams, {}, "CRONLIFT_TEAMS is not set"),
        (settings.read_teams, {"CRONLIFT_TEAMS": "{"}, "no JSON"),
        (settings.read_teams, {"CRONLIFT_TEAMS": "[]"}, "a JSON list, not an object"),
        (settings.read_teams, {"CRONLIFT_TEAMS": '{"demo": {}}'}, "team 'demo' has no namespace"),
        (settings.read_images, {"CRONLIFT_JOB_IMAGES": '{"legacy": ""}'}, "image 'legacy' is '', no reference"),
        (settings.read_images, {"CRONLIFT_JOB_IMAGES": '{"legacy": 1}'}, "image 'legacy' is 1, no reference"),
    ],
)
def test_wrong_variable_is_named_with_an_example(read, environment, words):
    with pytest.raises(SettingsError) as caught:
        read(environment)
    assert words in str(caught.value)
    assert "CRONLIFT_" in str(caught.value).partition("example")[2] + str(caught.value).partition("read like")[2]


@pytest.mark.parametrize(("dag_id", "team"), [("demo__a", "demo"), ("b2__x__y", "b2"), ("demo___a", "demo")])
def test_team_is_found_in_the_dag_id(dag_id, team):
    assert settings.team_of(dag_id, settings.read_teams({"CRONLIFT_TEAMS": TEAMS})).name == team


@pytest.mark.parametrize(
    ("dag_id", "words"),
    [("nightly", "names no team"), ("demo__", "names no team"), ("other__a", "names team 'other'"), ("__a", "team ''")],
)
def test_dag_id_without_a_known_team_is_refused(dag_id, words):
    with pytest.raises(TeamError, match=words) as caught:
        settings.team_of(dag_id, settings.read_teams({"CRONLIFT_TEAMS": TEAMS}))
    assert "b2, demo" in str(caught.value)


def test_images_are_read_anew_from_their_file(tmp_path):
    path = tmp_path / "images.json"
    environment = {"CRONLIFT_JOB_IMAGES_FILE": str(path)}
    for tag in ("1", "2"):
        path.write_text(f'{{"legacy": "example.com/legacy:{tag}"}}')
        assert settings.has_images(environment)
        assert settings.read_images(environment) == {"legacy": f"example.com/legacy:{tag}"}
    with_both = {**environment, "CRONLIFT_JOB_IMAGES": '{"legacy": "own:1"}'}
    assert settings.read_images(with_both) == {"legacy": "own:1"}


def test_a_missing_file_of_images_is_named():
    with pytest.raises(SettingsError, match="CRONLIFT_JOB_IMAGES_FILE names /nowhere"):
        settings.read_images({"CRONLIFT_JOB_IMAGES_FILE": "/nowhere"})
