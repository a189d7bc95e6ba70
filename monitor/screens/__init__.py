"""One file a screen. Screens compose widgets, read the model and send intents."""
