"""What a test says: queries, assertions, and the sentences of their failures."""
