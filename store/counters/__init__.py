"""Counters by resource: what the taxonomy has events count, exact in SQL, shown at once by way of Redis.

The events are the truth. A flush counts those that came since the last one, by their positions, and so each once.
Until then, producers add up in Redis what they recorded; that is a hint like the bus is, and is believed only where
nothing of it can be missing.
"""
