import http.server
from urllib.parse import parse_qs, urlsplit

ORIGIN = "rtmp://127.0.0.1:1935"

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        if query.get("act") == "start":
            # The relay keeps application and name of the stream, because the address has none.
            self.send_response(302)
            self.send_header("Location", ORIGIN)
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", 6080), Handler).serve_forever()
