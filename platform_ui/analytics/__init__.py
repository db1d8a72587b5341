"""Analytics of a system's own data and of what is shared with it, where there is no Kibana and no Grafana."""
