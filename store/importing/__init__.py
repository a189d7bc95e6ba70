"""Reading events from files into a store, as often as one likes, each once."""
