"""What is broken: the state of components, and the alerts that rules draw from events.

Plain Python: the clock is passed in, and nothing here reads or writes anything.
"""
