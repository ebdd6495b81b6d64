"""What Airflow takes from this file alone: alerts on the UI's home page. For your own: `.append(UIAlert(...))`."""

from cronlift.airflow.banner import DeliveryAlerts

__all__ = ["DASHBOARD_UIALERTS"]

DASHBOARD_UIALERTS = DeliveryAlerts()
