"""The versions of the schema: numbered modules in `versions/`, applied in their order when a store is opened."""

REVISIONS = ("0001_events", "0002_event_system", "0003_numbers_and_jobs", "0004_search_index")
"""The modules. Each begins with the version that it leads to, in four digits: versions are compared as text."""
VERSIONS = tuple(name.partition("_")[0] for name in REVISIONS)
HEAD = VERSIONS[-1]
"""The newest version. An older program can tell a newer schema by it."""
