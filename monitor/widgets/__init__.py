"""What is drawn. Domain values in, domain messages out; no input or output of its own."""
