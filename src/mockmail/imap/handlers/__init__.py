"""What each command does. A handler gets the state of the connection and the parsed command, and gives what ends the
command, a generator of its response, or the lines that the client has to send next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from mockmail.imap.handlers import any as of_any_state
from mockmail.imap.handlers import append, fetching, idle, listing, login, mailboxes, messages, searching, selecting
from mockmail.imap.replies import LineMode, Response
from mockmail.imap.state import ConnectionState

__all__ = ["HANDLERS", "Handler"]

Handler: TypeAlias = Callable[[ConnectionState, Any], "Response | LineMode"]

HANDLERS: Mapping[str, Handler] = {
    "CAPABILITY": of_any_state.capability,
    "NOOP": of_any_state.noop,
    "CHECK": of_any_state.noop,
    "LOGOUT": of_any_state.logout,
    "ID": of_any_state.identify,
    "ENABLE": of_any_state.enable,
    "STARTTLS": login.starttls,
    "LOGIN": login.login,
    "AUTHENTICATE": login.authenticate,
    "SELECT": selecting.select,
    "EXAMINE": selecting.select,
    "CLOSE": selecting.close,
    "UNSELECT": selecting.unselect,
    "CREATE": mailboxes.create,
    "DELETE": mailboxes.delete,
    "RENAME": mailboxes.rename,
    "SUBSCRIBE": mailboxes.subscribe,
    "UNSUBSCRIBE": mailboxes.unsubscribe,
    "STATUS": mailboxes.status,
    "LIST": listing.list_mailboxes,
    "LSUB": listing.list_subscribed,
    "NAMESPACE": listing.namespace,
    "APPEND": append.append,
    "IDLE": idle.idle,
    "FETCH": fetching.fetch,
    "SEARCH": searching.search,
    "STORE": messages.store,
    "COPY": messages.copy,
    "MOVE": messages.move,
    "EXPUNGE": messages.expunge,
}
"""By the command's name without UID."""
