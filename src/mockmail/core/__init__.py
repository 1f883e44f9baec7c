"""State: the store, its mailboxes, the journal of what happened, and the clock. No sockets, no threads' locks, no
protocol words. Everything that changes state runs on the loop thread."""
