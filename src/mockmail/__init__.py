"""The mail system your tests talk to."""
