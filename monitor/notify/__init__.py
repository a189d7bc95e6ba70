"""Telling people of alerts outside of the timeline: the terminal, a command, a webhook."""
