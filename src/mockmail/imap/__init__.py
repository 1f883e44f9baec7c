"""The IMAP side: framing before grammar, grammar before state (RFC 3501 and extensions)."""
