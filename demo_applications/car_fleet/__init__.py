"""The company cz.icecars: two cars on a made-up track, each a producer and a consumer."""
