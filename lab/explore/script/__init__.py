"""A session written down: the scenario that plays it again."""
