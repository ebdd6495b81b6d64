"""The variables of a job, per daemon."""

import pytest

from images.legacy.cronrun.environment import User, build_environment, parse_settings
from images.legacy.cronrun.job import Job, JobError

USER = User("www", "/var/www")


@pytest.mark.parametrize(
    ("flavour", "expected"),
    [
        ("debian", {"SHELL": "/bin/sh", "HOME": "/var/www", "LOGNAME": "www", "PATH": "/usr/bin:/bin"}),
        (
            "cronie",
            {
                "SHELL": "/bin/sh",
                "HOME": "/var/www",
                "LOGNAME": "www",
                "USER": "www",
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
            },
        ),
    ],
)
def test_bare_environment_is_that_of_the_daemon(flavour: str, expected: dict[str, str]) -> None:
    assert build_environment(Job(b"", flavour=flavour), USER) == expected


def test_tab_overrides_all_but_the_login_name() -> None:
    tab = {"SHELL": "/bin/bash", "HOME": "/srv", "PATH": "/opt/bin", "LOGNAME": "root", "USER": "root", "LANG": "C"}
    found = build_environment(Job(b"", environment=tab), USER, ["PATH=/system\nLANG=de_DE.UTF-8\nEXTRA=1"])
    assert found == {**tab, "LOGNAME": "www", "EXTRA": "1"}


def test_cronie_sets_user_too() -> None:
    assert build_environment(Job(b"", flavour="cronie", environment={"USER": "root"}), USER)["USER"] == "www"


def test_default_path_wins_over_the_systems_as_under_both_daemons() -> None:
    assert build_environment(Job(b""), USER, ["PATH=/usr/local/bin:/usr/bin"])["PATH"] == "/usr/bin:/bin"


def test_language_of_the_options_wins_over_the_images() -> None:
    assert build_environment(Job(b"", language="fr_FR.UTF-8"), USER, ["LANG=C"])["LANG"] == "fr_FR.UTF-8"


def test_only_the_named_secrets_pass() -> None:
    container = {"PASSWORD": "x", "KUBERNETES_PORT": "tcp://10.0.0.1", "PATH": "/container"}
    found = build_environment(Job(b"", secrets=("PASSWORD",)), USER, container=container)
    assert found["PASSWORD"] == "x"
    assert "KUBERNETES_PORT" not in found
    assert found["PATH"] == "/usr/bin:/bin"


def test_missing_secret_is_refused_by_its_name() -> None:
    with pytest.raises(JobError, match="PASSWORD is not in the container's environment"):
        build_environment(Job(b"", secrets=("PASSWORD",)), USER)


def test_values_are_literal_and_one_pair_of_quotes_goes() -> None:
    text = "# comment\nA=1\nexport B=\"x y\"\nC='$HOME'\nD=a # b\nE=\n  F=2\nno setting\n1X=3\n"
    assert parse_settings(text) == {"A": "1", "B": "x y", "C": "$HOME", "D": "a ", "F": "2"}
