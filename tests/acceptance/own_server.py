"""What a person may put in the place of JupyterLab: a page that everybody may open."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>A page</title><p>Look at my results.</p>")

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


address = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
HTTPServer((address.hostname or "", address.port or 0), _Pages).serve_forever()
