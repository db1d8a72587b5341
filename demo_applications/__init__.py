"""Demo applications: three companies that a user of the stack could run as they are.

What lives here: a weather service with two stations and a forecast, a fleet of two cars, and a road
analytics. Each program uses only `client`, as an application of yours would. What does not: anything that
starts or supervises these programs (`setup`) or shares their records across systems (`streamhub`).
"""
