"""Byte-exact reading of messages: offsets into the raw bytes, never a re-serialised copy."""
