"""The POP3 side: a sans-IO session (RFC 1939, RFC 2449)."""
