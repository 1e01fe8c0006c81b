"""Stands in for an interpreter that has vLLM: answers its questions and serves its pages.

It is called as ``-c PROBE``, as ``_convert_small_model.py FOLDER`` and as ``-m MODULE --model ...``; words that
only it knows, among the server's arguments, make it misbehave.
"""

import json
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from signal import SIG_IGN, SIGTERM, signal

METRICS = """\
# HELP vllm:prompt_tokens_total Number of prefill tokens processed.
vllm:prompt_tokens_total{engine="0"} 30.0
vllm:prompt_tokens_total{engine="1"} 12.0
vllm:generation_tokens_total{engine="0"} 7.0
vllm:request_success_total{finished_reason="stop"} 1.0
vllm:request_success_total{finished_reason="length"} 2.0
vllm:prefix_cache_queries_total{engine="0"} 42.0
vllm:prefix_cache_hits_total{engine="0"} 16.0
vllm:num_requests_running{engine="0"} 1.0
vllm:num_requests_waiting{engine="0"} 2.0
"""


def argument(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


class Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        models = {"data": [{"id": argument("--served-model-name")}, {"id": "other"}]}
        pages = {"/health": "", "/v1/models": json.dumps(models), "/metrics": METRICS}
        self.answer("not ready" if "never-ready" in sys.argv else pages.get(self.path, "?"))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        usage = {"prompt_tokens": 1} if "forces-usage" in sys.argv else None
        self.answer("data: " + json.dumps({"choices": [], "usage": usage}) + "\n\ndata: [DONE]\n\n")

    def answer(self, text: str) -> None:
        self.send_response(503 if text == "not ready" else 200)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - named so by the base class
        pass


def serve() -> None:
    if "dies" in sys.argv:
        sys.exit("Traceback: no such weights")
    if "stubborn" in sys.argv:
        signal(SIGTERM, SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(argument("--model"), "child").write_text(str(child.pid))
    print("listening", flush=True)  # noqa: T201 - the log that a test reads
    server = HTTPServer((argument("--host"), int(argument("--port"))), Pages)
    if "brief" in sys.argv:
        server.handle_request()
    else:
        server.serve_forever()


def convert(folder: Path) -> None:
    with folder.parent.parent.joinpath("conversions").open("a") as log:
        log.write("x")
    time.sleep(0.2)  # so that two conversions overlap
    folder.mkdir()
    folder.joinpath("config.json").write_text("{}")


if sys.argv[1] == "-c":
    print("cpu")  # noqa: T201 - the answer to the probe
elif sys.argv[1] == "-m":
    serve()
else:
    convert(Path(sys.argv[2]))
