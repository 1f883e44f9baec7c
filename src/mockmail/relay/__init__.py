"""Mail on its way to other servers, and what is reported about it."""
