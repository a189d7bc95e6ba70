"""What the console knows: plain Python, no Textual, no SQL, no clock of its own."""
