"""The mock server's wire: connections, routes, and replies that are whole, streamed or broken off."""

import json
import sys
import threading
from collections.abc import Iterable
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from socket import SHUT_RDWR, socket
from typing import Any, cast

from . import _server_wire as wire
from ._server_desk import Desk, sse, stream

MAX_MODEL_LEN = 32_768
"""The context length in tokens that the server says it has."""


class Listener(ThreadingHTTPServer):
    """A threaded HTTP server on a free loopback port that closes every connection when it is closed."""

    daemon_threads = False
    request_queue_size = 1024

    def __init__(self, desk: Desk) -> None:
        self._lock, self._open, self._closing = threading.Lock(), set[socket](), desk.closing
        super().__init__(("127.0.0.1", 0), partial(Handler, desk, self))

    def opened(self, connection: socket) -> None:
        """Remember a connection, so that closing the server can cut it."""
        with self._lock:
            self._open.add(connection)
            if self._closing.is_set():
                hang_up(connection)

    def closed(self, connection: socket) -> None:
        """Forget a connection that ended by itself."""
        with self._lock:
            self._open.discard(connection)

    def close(self) -> None:
        """Stop listening, cut all connections and wait for the threads that served them."""
        self._closing.set()
        self.shutdown()
        with self._lock:
            for connection in self._open:
                hang_up(connection)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over clients that went away; anything else is a bug worth a traceback."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, desk: Desk, listener: Listener, *args: Any) -> None:
        self._desk, self._listener = desk, listener
        super().__init__(*args)

    def setup(self) -> None:
        """Open the connection."""
        super().setup()
        self._listener.opened(self.connection)

    def finish(self) -> None:
        """Close the connection."""
        self._listener.closed(self.connection)
        super().finish()

    def end_headers(self) -> None:
        """Every reply ends its connection: LangChain's clients keep theirs when an event loop or a test is over."""
        self.send_header("Connection", "close")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name for it
        """Say nothing: a test's output is the test's."""

    def do_GET(self) -> None:
        """Serve the pages."""
        model = {
            "id": self._desk.model,
            "object": "model",
            "owned_by": "budgetkit",
            "max_model_len": MAX_MODEL_LEN,
        }
        match self.path:
            case "/health":
                self._send(200, b"", "text/plain")
            case "/metrics":
                self._send(200, self._desk.metrics().encode(), "text/plain; version=0.0.4")
            case "/v1/models":
                self._send_json(200, {"object": "list", "data": [model]})
            case _:
                self._refuse(404, f"no such page: {self.path}")

    def do_POST(self) -> None:
        """Serve chat completions and token counts."""
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = _parsed(sent)
        if self.path not in {"/v1/chat/completions", "/tokenize"}:
            self._refuse(404, f"no such page: {self.path}")
        elif not {"messages", "prompt"} & body.keys():
            self._refuse(400, "the body must be a JSON object with messages")
        elif self.path == "/tokenize":
            self._send_json(200, self._desk.tokenize(body, MAX_MODEL_LEN))
        else:
            self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        switches = self._desk.switches
        with self._desk.serving(body) as number:
            if number <= switches.fail_times:
                self._desk.closing.wait(switches.latency)
                self._refuse(switches.fail_status, f"request {number} fails by order of fail_times")
                return
            prompt = self._desk.bill_prompt(body)
            self._desk.closing.wait(switches.latency)
            head = {"id": f"chatcmpl-{number}", "created": 0, "model": self._desk.model}
            (self._reply_streamed if body.get("stream") else self._reply_whole)(head, body, prompt)
            self._desk.count(finished=1)

    def _reply_whole(self, head: wire.Body, body: wire.Body, prompt: int) -> None:
        switches = self._desk.switches
        choices = wire.make_choices(body, self._desk.reply, switches)
        generated = self._desk.bill_choices(choices)
        if switches.disconnect_after is not None:
            self._hang_up()
            return
        usage = wire.usage_block(prompt, generated, switches) if switches.usage else None
        self._send_json(200, wire.completion(head, choices, usage))

    def _reply_streamed(self, head: wire.Body, body: wire.Body, prompt: int) -> None:
        limit = self._desk.switches.disconnect_after
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._write_events(islice(stream(self._desk, head, body, prompt), limit))
        if limit is not None:
            self._hang_up()
            return
        self._write_part(b"data: [DONE]\n\n")
        self._write_part(b"")

    def _write_events(self, events: Iterable[dict[str, Any]]) -> None:
        for event in events:
            self._write_part(sse(event))

    def _write_part(self, data: bytes) -> None:
        """Write one part of a chunked body; an empty one ends it."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _hang_up(self) -> None:
        self.close_connection = True
        hang_up(self.connection)

    def _refuse(self, status: int, message: str) -> None:
        self._send_json(status, {"error": {"message": message, "type": "mock_error", "code": status}})

    def _send_json(self, status: int, body: wire.Body) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, data: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        if status >= wire.FIRST_ERROR_STATUS:
            self.send_header("Retry-After-Ms", "1")  # clients that retry do so at once: tests do not wait
        self.end_headers()
        self.wfile.write(data)


def _parsed(sent: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is an empty one."""
    try:
        body: Any = json.loads(sent)
    except ValueError:
        return {}
    return cast("dict[str, Any]", body) if isinstance(body, dict) else {}


def hang_up(connection: socket) -> None:
    """Cut a connection in both directions, if the other side has not done so."""
    try:
        connection.shutdown(SHUT_RDWR)
    except OSError:
        return
