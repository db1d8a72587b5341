"""The entry proxy: nginx in front of all HTTP, one TLS port to the world.

What lives here: its settings, its generated configuration, its certificate, finding and running nginx. What
does not: the services behind it.
"""
