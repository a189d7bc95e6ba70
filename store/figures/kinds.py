"""The types of events that figures know by name."""

SEARCHES = frozenset({"search.performed", "search.query", "search.manual"})
"""By which somebody looked for what is under `query` in their metadata."""
FRUITLESS = "no_results"
"""The status of a search that found nothing."""
SHOWN, CLICKED = "recommendation.shown", "recommendation.clicked"
