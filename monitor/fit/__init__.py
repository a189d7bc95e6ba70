"""How the console fits the terminal it is on: colours, glyphs, keys, and what goes over the line."""
