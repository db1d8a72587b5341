"""The company at.datahouse: it watches what the cars share with its system RoadAnalytics."""
