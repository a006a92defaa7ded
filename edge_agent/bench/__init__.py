"""The bench: recordings in, events and measurements out. No service imports any of it."""
