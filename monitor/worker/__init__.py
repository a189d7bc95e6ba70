"""The process that does what is to be done again and again: `evtop worker`. Several share the jobs of a store."""
