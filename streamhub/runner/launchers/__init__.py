"""What runs apps: processes of this machine, containers of a Docker Engine, pods of Kubernetes.

One interface (`interface`), one implementation for engines that are asked over a network (`containers`) with
a small port for each of them. What does not live here: when something is started or ended (`supervisor`).
"""
