"""What is shipped for Grafana and Prometheus, for faces to hand out."""

from interlock_observability.dashboards import dashboard, rules

__all__ = ["dashboard", "rules"]
