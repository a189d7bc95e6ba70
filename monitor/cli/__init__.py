"""The commands, one file a group. Heavy imports stay inside the commands: `evtop --help` waits for none."""
