"""A web server that answers at once and leaves the work to a worker; standard library only.

In the folder of this file:

    python web_app.py 8080                     # the server
    packhorse work --config web_app.toml       # a worker, in another shell
    curl -d mule http://127.0.0.1:8080/        # gives the job's id
    curl http://127.0.0.1:8080/ID
"""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

from packhorse import ConnectionLost, Packhorse, job

app = Packhorse(config="web_app.toml")  # the worker reads the same


@job(tries=3, backoff=1)
def greet(name: str) -> None:
    time.sleep(0.1)  # something that a visitor should not wait for
    print(f"Hello, {name}", flush=True)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Takes a name, sends a job, answers 202 with the job's id."""
        name = self.rfile.read(int(self.headers["Content-Length"])).decode()
        try:
            handle = greet.dispatch(name)
        except ConnectionLost as error:
            self.answer(503, str(error))  # nothing was promised to the visitor
        else:
            self.answer(202, str(handle.id))

    def do_GET(self) -> None:
        """Tells where a job stands; one that is done is not there any more."""
        found = app.queue().get(UUID(self.path.strip("/")))
        self.answer(200, "done" if found is None else found.state)

    def answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
