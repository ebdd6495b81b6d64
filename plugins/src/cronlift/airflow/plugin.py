"""What Airflow takes from this package as a plugin: a timetable, links, pages. Entry point: `airflow.plugins`."""

from typing import Any

from airflow.plugins_manager import AirflowPlugin

from cronlift.airflow import settings
from cronlift.airflow.timetable import CrontabTimetable


class _Pages:
    """The API server's pages; built when it asks for them, so that no other process loads a web framework."""

    def __get__(self, _instance: object, _owner: type) -> list[dict[str, Any]]:
        from cronlift.airflow.source_links import URL_PREFIX, make_app

        return [{"app": make_app(), "url_prefix": URL_PREFIX, "name": "cronlift"}]


class CronliftPlugin(AirflowPlugin):
    """The timetable, and links of Job tasks; no link is imported where the deployment has no templates for them."""

    name = "cronlift"
    timetables: list[Any] = [CrontabTimetable]  # noqa: RUF012 - so it is declared in the base class
    fastapi_apps: Any = _Pages()

    @classmethod
    def on_load(cls, *_: Any, **__: Any) -> None:
        """Make the links; a fault is an import error of the plugin, which Airflow's UI shows.

        Raises:
            SettingsError: A template is wrong.
        """
        cls.operator_extra_links = []
        templates = settings.read_links()
        if templates:
            from cronlift.airflow.links import make_links

            cls.operator_extra_links.extend(make_links(templates))
