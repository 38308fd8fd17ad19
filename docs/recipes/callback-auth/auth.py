import http.server
from urllib.parse import parse_qs, urlsplit

# Token of each stream, for publishers and for players.
TOKENS = {"publish": {"room1": "secret"}, "play": {"room1": "view"}}

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        wanted = TOKENS.get(query.get("call"), {}).get(query.get("name"))
        # Only the answer to "start" decides. "done" is information.
        admitted = query.get("act") != "start" or (wanted and query.get("token") == wanted)
        self.send_response(200 if admitted else 403)
        self.send_header("Content-Length", "0")
        self.end_headers()

http.server.ThreadingHTTPServer(("127.0.0.1", 6080), Handler).serve_forever()
