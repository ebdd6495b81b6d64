"""From a bundle's version to its commit in the forge, by the API server's own database."""

from contextlib import contextmanager

import pytest

from cronlift.airflow import source_links
from cronlift.airflow.settings import DELIVERY_KEY

# Airflow's own import of starlette's test client, with the httpx that it brings (3.3.2).
pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")

URL = "https://github.com/acme/dags/tree/c0ffee/dags/demo"


@pytest.fixture
def database(monkeypatch):
    """Airflow's two tables in memory."""
    from airflow.models import import_all_models
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils import session as sessions
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    import_all_models()
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    for model in (DagBundleModel, DagVersion):
        model.__table__.create(engine)

    @contextmanager
    def create_session():
        with Session(engine) as session:
            yield session
            session.commit()

    monkeypatch.setattr(sessions, "create_session", create_session)
    yield create_session
    engine.dispose()


def add(database, table, **values):
    from sqlalchemy import insert

    with database() as session:
        session.execute(insert(table.__table__).values(**values))


def test_address_is_that_of_the_dags_version(database):
    from airflow.models.dag_version import DagVersion

    add(database, DagVersion, dag_id="demo__a", version_number=1, bundle_name="demo", bundle_version="v1",
        version_data={"commit": "c0ffee", "url": URL})  # fmt: skip
    assert source_links.find_address("demo", "v1") == URL
    assert source_links.find_address("demo", "v2") is None
    assert source_links.find_address("billing", "v1") is None


def test_version_that_no_dag_is_at_any_more_is_known_by_the_dag_processor(database):
    from airflow.models.dagbundle import DagBundleModel

    state = {DELIVERY_KEY: {"addresses": {"v0": URL, "bad": "javascript:alert(1)"}}}
    add(database, DagBundleModel, name="demo", active=True, template_params=state)
    assert source_links.find_address("demo", "v0") == URL
    assert source_links.find_address("demo", "bad") is None


async def get(app, path):
    import httpx

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:
        return await client.get(path)


async def test_page_is_for_people_who_are_logged_in(database):
    assert (await get(source_links.make_app(), "/source/demo/v1")).status_code == 401


async def test_page_leads_on_to_the_forge(database):
    from airflow.api_fastapi.core_api.security import get_user
    from airflow.models.dagbundle import DagBundleModel

    state = {DELIVERY_KEY: {"addresses": {"v0": URL}}}
    add(database, DagBundleModel, name="demo", active=True, template_params=state)
    app = source_links.make_app()
    app.dependency_overrides[get_user] = lambda: object()
    answer = await get(app, "/source/demo/v0")
    assert (answer.status_code, answer.headers["location"]) == (307, URL)
    assert (await get(app, "/source/demo/v9")).status_code == 404


def test_plugin_offers_the_pages():
    from cronlift.airflow.plugin import CronliftPlugin

    (pages,) = CronliftPlugin().fastapi_apps
    assert pages["url_prefix"] == "/cronlift"
