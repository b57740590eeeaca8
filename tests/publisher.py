"""A publisher of weights on this machine: it sends the rest of a file to who has its beginning."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Publisher:
    """Has one file. `ends_after`: the first answer breaks off after so many bytes; `asked` is where each began."""

    def __init__(self, content: bytes, *, ends_after: int | None = None, ranges: bool = True) -> None:
        self.content = content
        self.ends_after = ends_after
        self.asked: list[int] = []
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-")) if ranges else 0
                end, publisher.ends_after = publisher.ends_after, None
                publisher.asked.append(start)
                self.send_response(206 if ranges else 200)
                self.end_headers()
                self.wfile.write(publisher.content[start:end])

            def log_message(self, *_: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/tiny.gguf"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
