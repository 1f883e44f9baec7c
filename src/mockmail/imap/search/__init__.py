"""What SEARCH asks for, and how it is decided."""
