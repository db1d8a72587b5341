"""Notebooks: JupyterLab on this machine, connected to a stack or a platform."""
