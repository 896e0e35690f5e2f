"""What is shipped for Grafana and Prometheus, for faces to hand out."""

from interlock_observability.dashboards import RULES, dashboard, rules

__all__ = ["RULES", "dashboard", "rules"]
