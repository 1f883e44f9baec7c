"""What FETCH asks for, and how it is rendered."""
