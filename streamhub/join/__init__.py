"""The time join: records of several streams find their nearest neighbours in event time.

Lives here: the join of two streams (``neighbours``, ``sides``), chains of more (``series``, ``stages``), and
what has to be remembered for a restart (``windows``). Does not live here: what makes a stream, a join key or
an output record, and anything that reads from a broker, a clock or a file.

Pure: which tuples are found depends on the times and the order of the records handed in, on nothing else.
"""

from streamhub.join.neighbours import NeighbourJoin
from streamhub.join.series import SeriesJoin
from streamhub.join.windows import Window

__all__ = ["NeighbourJoin", "SeriesJoin", "Window"]
