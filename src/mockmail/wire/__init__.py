"""Everything that touches a socket; knows no protocol."""
