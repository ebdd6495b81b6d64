"""Login by an identity provider, as the chart sets Airflow up for it: roles by groups, and nothing without one."""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from ci.pins import pins
from tests.chart.rendering import TEAMS, render
from tests.integration import own_identity_provider as own
from tests.integration.airflow_environments import installed
from tests.integration.own_postgres import can_connect, free_port
from tests.live.waiting import wait_for

SETTINGS = (
    "auth.manager=oidc", "apiServer.baseUrl=https://airflow.example.com", "auth.oidc.issuer=https://id.example.com",
    "auth.oidc.existingSecret=x", "auth.oidc.roles.platform=Admin", "auth.oidc.roles.staff=Viewer",
)  # fmt: skip
START_SECONDS = 240
"""A first start gives each role its rights, one by one."""

CACHE_SECONDS = 2
"""How long Airflow remembers a user's roles; 30 s unless [fab] cache_ttl says otherwise."""


@dataclass(frozen=True)
class Site:
    """An Airflow that people log in to, and who lets them in."""

    url: str
    provider: own.Provider

    def login(self, name: str, *groups: str, told_in: str = own.ID_TOKEN, **claims: str) -> requests.Session:
        """Log somebody in as a browser does; the session holds what Airflow gave."""
        self.provider.person = {"sub": name, "preferred_username": name, "groups": list(groups), **claims}
        self.provider.tells_groups_in = told_in
        session = requests.Session()
        session.trust_env = False
        session.get(f"{self.url}/auth/login/oidc", timeout=30)
        assert self.provider.faults == []
        return session

    def may(self, session: requests.Session, path: str) -> int:
        """Return the status of a call of the API with what the session holds."""
        token = session.cookies.get("_token", "")
        headers = {"Authorization": f"Bearer {token}"}
        return session.get(f"{self.url}/api/v2/{path}", headers=headers, timeout=30).status_code


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Run Airflow with the variables that the chart gives the api-server."""
    home, port = tmp_path_factory.mktemp("airflow"), free_port()
    version = pins()["AIRFLOW_VERSION"]
    programs = installed(f"airflow-{version}-fab", f"apache-airflow-core=={version}",
                         "apache-airflow-providers-standard", "apache-airflow-providers-fab", "authlib")  # fmt: skip
    given = {
        name: entry.get("value", "") for name, entry in render(TEAMS, sets=SETTINGS).environment("api-server").items()
    }
    with own.running() as provider:
        oidc = {**json.loads(given["CRONLIFT_OIDC"]), "issuer": provider.issuer}
        names = ("AIRFLOW__CORE__AUTH_MANAGER", "AIRFLOW__FAB__CONFIG_FILE", "AIRFLOW__FAB__ENABLE_PROXY_FIX")
        scripts = Path(__file__).parents[2] / "charts/cronlift/files"
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")},
            **{name: given[name].replace("/opt/cronlift", str(scripts)) for name in names},
            "CRONLIFT_OIDC": json.dumps(oidc),
            "CRONLIFT_OIDC_CLIENT_ID": own.CLIENT_ID,
            "CRONLIFT_OIDC_CLIENT_SECRET": own.CLIENT_SECRET,
            "CRONLIFT_OIDC_SESSION_KEY": "a-key-of-this-test-long-enough-for-cookies",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__FAB__CACHE_TTL": str(CACHE_SECONDS),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": "another-key-of-this-test",
            "AIRFLOW__API_AUTH__JWT_SECRET": "a-third-key-of-this-test-long-enough",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        }
        subprocess.run([programs / "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
        with (home / "log").open("w") as log:
            server = subprocess.Popen(
                [programs / "python", "-m", "airflow", "api-server"], env=environment, stdout=log, stderr=log
            )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not can_connect(port):
                assert server.poll() is None, (home / "log").read_text()[-3000:]
                assert time.monotonic() < deadline, (home / "log").read_text()[-3000:]
                time.sleep(0.5)
            yield Site(f"http://127.0.0.1:{port}", provider)
        finally:
            server.terminate()
            server.wait(60)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("told_in", [own.ID_TOKEN, own.USERINFO])
def test_people_get_the_role_of_their_groups_wherever_the_provider_tells_them(site, told_in):
    ann = site.login(f"ann-{told_in}", "platform", told_in=told_in)
    assert [site.may(ann, path) for path in ("dags", "connections")] == [200, 200]
    bob = site.login(f"bob-{told_in}", "staff", "others", told_in=told_in)
    assert [site.may(bob, path) for path in ("dags", "connections")] == [200, 403]


def test_the_provider_sends_people_back_to_https_where_tls_ends_at_the_ingress(site):
    forwarded = {"Host": "airflow.example.com", "X-Forwarded-Proto": "https"}
    answer = requests.get(f"{site.url}/auth/login/oidc", headers=forwarded, allow_redirects=False, timeout=30)
    [place] = parse_qs(urlsplit(answer.headers["Location"]).query)["redirect_uri"]
    assert place == "https://airflow.example.com/auth/oauth-authorized/oidc"


def test_who_is_in_none_of_the_groups_comes_in_and_sees_nothing(site):
    for groups in ((), ("strangers",)):
        guest = site.login(f"guest{len(groups)}", *groups)
        assert guest.cookies.get("_token")
        assert [site.may(guest, path) for path in ("dags", "connections")] == [403, 403]


def test_a_group_that_the_provider_takes_away_ends_with_the_next_login(site):
    assert site.may(site.login("cleo", "platform"), "connections") == 200
    session = site.login("cleo", "staff")
    wait_for(lambda: site.may(session, "connections") == 403, "end of the role", 5 * CACHE_SECONDS)


def test_an_answer_about_somebody_else_lets_nobody_in(site, monkeypatch):
    monkeypatch.setattr(own.Provider, "claims", lambda self, place: {**self.person, "sub": place})
    session = site.login("mallory", "platform")
    assert "_token" not in session.cookies
    assert site.may(session, "dags") == 401
