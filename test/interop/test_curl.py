#!/usr/bin/env python3
"""curl --unix-socket, which talks HTTP to examples/http_server.c, whose channels
are raw. (It never is the server.)

usage: test_curl.py INTEROP_PEER COMPANION HTTP_SERVER
"""

import contextlib
import subprocess
import sys

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import Program, conversation, fresh, needs  # noqa: E402

PAGE = "<!DOCTYPE html>\n<p>It runs.</p>\n"


def curl(where, *args):
    return subprocess.run(
        ["curl", "-sS", "--max-time", str(interop.PATIENCE), "--unix-socket", where,
         *args], stdout=subprocess.PIPE, check=True, text=True).stdout


@contextlib.contextmanager
def server(way):
    needs("curl")
    where = fresh()
    with Program(interop.MORE[0], where) as http:
        http.wait_for("listening")
        with way.to(where) as front:
            yield front
        assert http.process.poll() is None, http.story()


@conversation
def curl_gets_a_page(way):
    with server(way) as front:
        for version in "--http1.1", "--http1.0":
            said = curl(front, version, "-i", "http://localhost/any/page")
            head, page = said.replace("\r\n", "\n").split("\n\n", 1)
            assert head.splitlines() == [
                "HTTP/1.1 200 OK", "Content-Type: text/html",
                f"Content-Length: {len(PAGE)}", "Connection: close"], head
            assert page == PAGE


@conversation
def curl_gets_many(way):
    with server(way) as front:
        assert curl(front, "http://localhost/[1-20]") == 20 * PAGE
        header = "X: " + "y" * 60000
        assert curl(front, "-H", header, "http://localhost/") == PAGE


@conversation
def curl_posts_in_vain(way):
    with server(way) as front:
        for args in ["-d", "a=b"], ["-X", "DELETE"]:
            said = curl(front, *args, "-o", "/dev/null", "-w", "%{http_code}",
                        "http://localhost/")
            assert said == "405", said


interop.run()
