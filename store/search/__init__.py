"""A full-text index of the searchable text, beside the events and behind them: nobody waits for it.

`building.py` brings it up to the last commits. `lookup.py` asks it where the words of a query may be; what it says is
checked against the events, and what it does not cover yet is looked through, so that the answer is the same without it.
"""
