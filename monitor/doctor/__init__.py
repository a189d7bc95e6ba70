"""What may keep evtop from working, tried one by one: what was found, and what to do about it. No screen in it."""
