"""Files that put a platform's Datastreams and stream apps into Grafana, Kibana and Prometheus."""
