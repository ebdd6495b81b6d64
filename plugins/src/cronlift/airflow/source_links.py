"""Pages of the API server: from a bundle's version to its commit in the forge. Mounted by the plugin."""

from typing import TYPE_CHECKING, Any

from cronlift.airflow.settings import DELIVERY_KEY

if TYPE_CHECKING:
    from fastapi import FastAPI

URL_PREFIX = "/cronlift"


def make_app() -> "FastAPI":
    """Build the application: GET /source/{bundle}/{version}, for people who are logged in."""
    from airflow.api_fastapi.core_api.security import requires_authenticated
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import RedirectResponse

    app = FastAPI(title="cronlift", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/source/{bundle}/{version}", dependencies=[Depends(requires_authenticated())])
    def show_source(bundle: str, version: str) -> RedirectResponse:
        """Lead on to the folder as it was in the version's commit."""
        address = find_address(bundle, version)
        if address is None:
            detail = f"Nothing is known any more of version {version} of bundle {bundle}."
            raise HTTPException(status_code=404, detail=detail)
        return RedirectResponse(address)

    return app


def find_address(bundle: str, version: str) -> str | None:
    """Return where a version is shown; None when that is not known."""
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(DagVersion.version_data).where(
            DagVersion.bundle_name == bundle, DagVersion.bundle_version == version
        )
        # Rows are few: one for each change of a DAG in this version.
        for data in session.scalars(query.limit(20)):
            if address := web_only((data or {}).get("url")):
                return address
        query = select(DagBundleModel.template_params).where(DagBundleModel.name == bundle)
        state = (session.scalar(query) or {}).get(DELIVERY_KEY) or {}
        return web_only((state.get("addresses") or {}).get(version))


def web_only(address: Any) -> str | None:
    """Return an address of the web, and nothing else that may stand in its place."""
    return address if isinstance(address, str) and address.startswith(("https://", "http://")) else None
