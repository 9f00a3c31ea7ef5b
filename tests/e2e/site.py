"""A web site with Timekit's booking widget on its page, at an origin of its own."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

_PAGE = """<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<title>A site with the booking widget</title>
<link rel="stylesheet" href="/booking.min.css">
</head>
<body>
<div id="bookingjs"></div>
<script src="/booking.min.js"></script>
<script>
const widget = new TimekitBooking();
widget.init(%s);
</script>
</body>
</html>
"""


class Site:
    """The site; `show` says how its widget is set up.

    Args:
        modules: the node_modules with the widget.

    """

    def __init__(self, modules: Path) -> None:
        build = modules / "timekit-booking" / "public" / "build"
        self._server = _Server(("127.0.0.1", 0), partial(_Handler, directory=str(build)))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, config: str) -> None:
        """Make the page one whose widget is set up with `config`, a JavaScript object."""
        self._server.page = (_PAGE % config).encode()

    def close(self) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    page = b""


class _Handler(SimpleHTTPRequestHandler):
    """Answers `/` with the page and everything else from the widget's build."""

    server: _Server

    def do_GET(self) -> None:
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.page)))
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
