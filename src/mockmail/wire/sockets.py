"""What is asked of a connected socket besides reading and writing."""

from __future__ import annotations

import os
import socket
import struct

__all__ = ["input_waits", "reset_on_close"]

_LINGER = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)


def reset_on_close(connected: socket.socket) -> None:
    """Have the socket's end be a RST."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)


def input_waits(connected: socket.socket) -> bool:
    """Whether anything came that was not read."""
    try:
        return bool(connected.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
