"""The page and its data over HTTP, for this machine alone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from seqexp.errors import SeqexpError
from seqexp.watch.places import regular_file
from seqexp.watch.run import FOLDERS, SHOWN
from seqexp.watch.study import WatchedStudy

HOST = "127.0.0.1"
PORT = 8484
"""Tried first where none is asked for, so that a page that is open finds the next server."""

NAMES = ("127.0.0.1", "localhost")
"""Of this machine. Pages from elsewhere may have their own names lead here ("DNS rebinding"), and
would then read what is served. The port may be another: that of a tunnel."""

HERE = Path(__file__).parent
PARTS = {
    "/": (HERE / "page.html", "text/html"),
    "/report.css": (HERE.parent / "analysis" / "page.css", "text/css"),
    "/watch.css": (HERE / "watch.css", "text/css"),
    "/watch.js": (HERE / "watch.js", "text/javascript"),
    "/plot.js": (HERE / "plot.js", "text/javascript"),
}
"""What the page is made of: its colours and type are those of the report."""

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data:; "
    "style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(ThreadingHTTPServer):
    """Serves one study; `serve_forever` until it is interrupted."""

    daemon_threads = True

    def __init__(self, study: WatchedStudy, port: int) -> None:
        self.study = study
        super().__init__((HOST, port), Handler)

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_address[1]}/"

    def server_bind(self) -> None:
        TCPServer.server_bind(self)  # http.server's asks a name server, which may take seconds

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A browser may leave at any time.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one browser."""

    timeout = 30  # seconds that a connection may stay open without a question
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        if _name(self.headers.get("Host", "")) not in NAMES:
            self._say(HTTPStatus.FORBIDDEN, "this page is for 127.0.0.1 and localhost alone")
            return
        url = urlsplit(self.path)
        if url.path in PARTS:
            path, kind = PARTS[url.path]
            self._send(path.read_bytes(), f"{kind}; charset=utf-8")
        elif url.path.startswith("/file/"):
            self._send_file(url.path.removeprefix("/file/"))
        elif url.path in ANSWERS:
            self._answer(ANSWERS[url.path], parse_qs(url.query, keep_blank_values=True))
        else:
            self._say(HTTPStatus.NOT_FOUND, "there is nothing here")

    do_HEAD = do_GET

    def _answer(self, answer: Answer, query: Query) -> None:
        try:
            value = answer(self.server.study, query)
        except (KeyError, IndexError, ValueError):
            self._say(HTTPStatus.BAD_REQUEST, "this is no question of the page")
            return
        if value is None:
            self._say(HTTPStatus.NOT_FOUND, "there is no such run")
            return
        self._send(json.dumps(value, allow_nan=False).encode(), "application/json")

    def _send_file(self, quoted: str) -> None:
        """A file of a run: `RUN/pictures/NAME`, each part quoted."""
        name, _, rest = quoted.partition("/")
        study, parts = self.server.study, [unquote(part) for part in rest.split("/")]
        run = study.run_folder(unquote(name))
        path, content = None, b""
        # Gone, or not to be read, is not there.
        with suppress(OSError):
            if run is not None and not any("/" in part for part in parts):
                path = regular_file(study.folder, run, "/".join(parts), FOLDERS)
            content = b"" if path is None else path.read_bytes()
        if path is None or not content:
            self._say(HTTPStatus.NOT_FOUND, "there is no such file")
            return
        shown = SHOWN.get(path.suffix)
        headers = {} if shown else {"Content-Disposition": "attachment"}
        self._send(content, shown or "application/octet-stream", headers)

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._send(f"{text}\n".encode(), "text/plain; charset=utf-8", status=status)

    def _send(
        self,
        content: bytes,
        kind: str,
        headers: Mapping[str, str] | None = None,
        status: HTTPStatus = HTTPStatus.OK,
    ) -> None:
        self.send_response(status)
        all_headers = {"Content-Type": kind, "Content-Length": str(len(content))}
        all_headers |= {"Cache-Control": "no-store", **HEADERS, **(headers or {})}
        for name, value in all_headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def version_string(self) -> str:
        return "seqexp"

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what is asked every two seconds need not be told."""


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


Query = Mapping[str, list[str]]
Answer = Callable[[WatchedStudy, Query], Any]


def _study(study: WatchedStudy, query: Query) -> dict[str, Any]:
    """`/study?token=TOKEN&since=VERSION`: see `WatchedStudy.changes`."""
    return study.changes(query["token"][0], int(query["since"][0]))


def _curves(study: WatchedStudy, query: Query) -> dict[str, Any]:
    """`/curves?metric=NAME&run=RUN:GENERATION:POINTS&...`: what is new, by run."""
    known = {}
    for each in query.get("run", []):
        name, generation, points = each.rsplit(":", 2)
        known[name] = int(generation), max(0, int(points))
    found = study.curves(query["metric"][0], known)
    return {name: piece._asdict() for name, piece in found.items()}


def _run(study: WatchedStudy, query: Query) -> dict[str, Any] | None:
    """`/run?run=RUN`: see `WatchedStudy.detail`."""
    return study.detail(query["run"][0])


ANSWERS: Mapping[str, Answer] = {"/study": _study, "/curves": _curves, "/run": _run}


def open_server(folder: Path, port: int | None) -> Server:
    """A server of a study's folder that listens on 127.0.0.1, and answers in `serve_forever`.

    Args:
        folder: of the study; it may be missing, and come later.
        port: to listen on, 0 for a free one; None for `PORT`, or a free one where that is taken.

    Raises:
        SeqexpError: the port is taken, or not allowed.
    """
    study = WatchedStudy(folder)
    if port is None:
        with suppress(OSError):
            return Server(study, PORT)
        return Server(study, 0)
    if not 0 <= port <= 65535:
        raise SeqexpError(f"no port {port}: they go from 1 to 65535, and 0 is for a free one")
    try:
        return Server(study, port)
    except OSError as error:
        raise SeqexpError(
            f"can't listen on port {port} ({error.strerror}): choose another, or leave --port out"
        ) from error
