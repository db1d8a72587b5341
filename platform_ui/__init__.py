"""The control plane: accounts, companies, systems, clients and stream apps, as pages and an API."""
