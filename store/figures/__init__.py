"""The figures of a dashboard: how much happened in a period, what failed, what was looked at and searched for."""
