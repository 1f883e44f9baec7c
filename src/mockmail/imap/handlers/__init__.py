"""IMAP commands by area."""
