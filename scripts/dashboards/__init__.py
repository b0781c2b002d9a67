"""Grafana's dashboards, which `python -m scripts.dashboards` writes to charts/dashboards."""
