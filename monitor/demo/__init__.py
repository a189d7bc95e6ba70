"""A simulated media application that tracks what it does: the worked example, and the data of `evtop demo`."""
