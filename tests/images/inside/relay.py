"""Bytes between standard input and output and a WebSocket, for `ssh -o ProxyCommand`."""

import sys
import threading

from websockets.sync.client import connect

with connect(
    sys.argv[1],
    additional_headers={"Authorization": f"token {sys.argv[2]}"},
    subprotocols=None,
    max_size=None,
    proxy=None,
) as socket:

    def send() -> None:
        while data := sys.stdin.buffer.read1(65536):
            socket.send(data)
        socket.close()

    threading.Thread(target=send, daemon=True).start()
    for message in socket:
        sys.stdout.buffer.write(message)
        sys.stdout.buffer.flush()
