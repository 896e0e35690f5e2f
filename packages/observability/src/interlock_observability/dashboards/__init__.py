"""A dashboard for Grafana and alert rules for Prometheus, over the metrics that are exposed."""

from importlib.resources import files
from typing import Final

DASHBOARD: Final = "grafana.json"
"""File of the dashboard."""

RULES: Final = "prometheus-rules.yaml"
"""File of the alert rules."""


def dashboard() -> str:
    """The dashboard, as Grafana imports it: JSON."""
    return files(__name__).joinpath(DASHBOARD).read_text("utf-8")


def rules() -> str:
    """The alert rules, as Prometheus loads them: YAML."""
    return files(__name__).joinpath(RULES).read_text("utf-8")
