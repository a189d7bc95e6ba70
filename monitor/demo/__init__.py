"""A simulated media application that records what it does: the worked example, and the data of `evtop demo`."""
