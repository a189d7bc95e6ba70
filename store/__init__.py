"""The event system: record what users, jobs and systems do, and read it back. Knows no screen."""
