"""Benches: the figures that evtop promises, measured on real stores, servers and terminals."""
