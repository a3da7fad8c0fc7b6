#!/usr/bin/env python3
"""Speaks JSON-RPC 2.0 with the examples of ipc_service as a program without the
library would: a JSON text a line over a Unix socket, as their client and as
their server.

usage: test_service.py SERVICE_SERVER SERVICE_CLIENT
"""

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True  # the source folder stays clean
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import tap  # noqa: E402

SERVER, CLIENT = sys.argv[1:]

# Only so that a hanging test fails.
PATIENCE = 60

WORK = tempfile.mkdtemp(prefix="ipcs-", dir="/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
os.chmod(WORK, 0o700)
atexit.register(shutil.rmtree, WORK, True)


class Peer:
    """The other end of a socket."""

    def __init__(self, connection):
        connection.settimeout(PATIENCE)
        self.connection = connection
        self.lines = connection.makefile("rb")

    def say(self, value):
        self.say_text(json.dumps(value))

    def say_text(self, text):
        self.connection.sendall(text.encode() + b"\n")

    def hear(self):
        """None: the end, which is a reset on Linux when the other end left
        something unread."""
        try:
            line = self.lines.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def ask(self, value):
        self.say(value)
        return self.hear()

    def close(self):
        self.lines.close()
        self.connection.close()


class Clock:
    """The example that serves."""

    def __init__(self, name):
        self.path = os.path.join(WORK, name + ".sock")
        self.process = subprocess.Popen([SERVER, name], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"listening\n"

    def connect(self):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self.path)
        return Peer(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def request(number, method, **more):
    return {"jsonrpc": "2.0", "id": number, "method": method, **more}


def test_calls():
    with Clock("calls") as clock:
        peer = clock.connect()
        assert peer.ask(request("a", "set", params={"ms": 5000})) == {
            "jsonrpc": "2.0", "method": "was set", "params": [5000]}
        assert peer.hear() == {"jsonrpc": "2.0", "id": "a", "result": True}
        answer = peer.ask(request(7, "get"))
        assert set(answer) == {"jsonrpc", "id", "result"}, answer
        assert answer["id"] == 7 and answer["result"] >= 5000
        peer.close()


def test_errors():
    with Clock("errors") as clock:
        peer = clock.connect()
        peer.say_text("{\"jsonrpc\": \"2.0\", ")
        assert peer.hear()["error"]["code"] == -32700
        assert peer.ask([])["error"] == {
            "code": -32600, "message": "Invalid Request",
            "data": {"problem": "an empty batch"}}
        assert peer.ask(request(1, "gone")) == {
            "jsonrpc": "2.0", "id": 1,
            "error": {"code": -32601, "message": "Method not found"}}
        assert peer.ask(request(None, "set", params=["x"])) == {
            "jsonrpc": "2.0", "id": None,
            "error": {"code": -32602, "message": "Invalid params",
                      "data": {"param": "ms",
                               "problem": "is a string, not an integer"}}}
        # The digits of an id are the caller's.
        peer.say_text('{"jsonrpc":"2.0","id":1.0e2,"method":"get"}')
        assert b'"id":1.0e2}' in peer.lines.readline()
        peer.close()


def test_a_batch():
    with Clock("batch") as clock:
        peer = clock.connect()
        answers = peer.ask([request(1, "get"), 5,
                            {"jsonrpc": "2.0", "method": "nobody takes it"},
                            request(2, "gone"), request(3, "get", params=[1])])
        assert [(a["id"], a.get("error", {}).get("code")) for a in answers] == [
            (1, None), (None, -32600), (2, -32601), (3, -32602)]
        peer.close()


def test_discover():
    with Clock("discover") as clock:
        peer = clock.connect()
        document = peer.ask(request(1, "rpc.discover"))["result"]
        methods = {method["name"]: method for method in document["methods"]}
        assert list(methods) == ["get", "set", "stop"]
        assert methods["set"]["params"] == [
            {"name": "ms", "description": "the time, in milliseconds",
             "required": True, "schema": {"type": "integer"}}]
        assert "result" in methods["get"] and "result" not in methods["stop"]
        peer.close()


def test_pushes_reach_all():
    with Clock("push") as clock:
        peers = [clock.connect() for _ in range(3)]
        for peer in peers:
            peer.ask(request(0, "get"))
        peers[1].say(request(1, "set", params=[9]))
        for peer in peers:
            assert peer.hear()["method"] == "was set"
        for peer in peers:
            peer.close()


def test_half_a_connection():
    """As by a shell: ask, end, and read what comes."""
    with Clock("half") as clock:
        peer = clock.connect()
        peer.say(request(1, "get"))
        peer.connection.shutdown(socket.SHUT_WR)
        assert peer.hear()["id"] == 1
        assert peer.hear() is None
        peer.close()


def test_quit():
    with Clock("quit") as clock:
        peer = clock.connect()
        # In one write: after the first line the server may be gone at once.
        peer.say_text(json.dumps({"jsonrpc": "2.0", "method": "stop"}) + "\n" +
                      json.dumps(request(1, "get")))
        heard = peer.hear()
        assert heard is None or heard["error"]["code"] == -32000
        peer.close()
        assert clock.process.wait(PATIENCE) == 0
        assert not os.path.exists(clock.path)


def serve(name, answer):
    """Is the clock of a client of the example's; returns what that prints, and
    its exit status. `answer` tells the answer to a request, or several."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.path.join(WORK, name + ".sock"))
    listener.listen()
    listener.settimeout(PATIENCE)
    client = subprocess.Popen([CLIENT, name, "100"], stdout=subprocess.PIPE)
    peer = Peer(listener.accept()[0])
    while (asked := peer.hear()) is not None:
        assert asked["jsonrpc"] == "2.0", asked
        for text in answer(asked):
            peer.say_text(text)
    peer.close()
    listener.close()
    output = client.communicate(timeout=PATIENCE)[0].decode()
    return output, client.returncode


def test_as_a_server():
    def answer(asked):
        if asked["method"] == "set":
            assert asked["params"] == {"ms": 100}, asked
            return [json.dumps([
                {"jsonrpc": "2.0", "method": "was set", "params": [100]},
                {"jsonrpc": "2.0", "result": True, "id": asked["id"]},
                {"jsonrpc": "2.0", "result": 1, "id": 12345}])]
        assert "params" not in asked
        return [json.dumps({"jsonrpc": "2.0", "result": 150, "id": asked["id"]},
                           indent=None)]
    assert serve("server", answer) == ("was set: 100\nit runs\n", 0)


def test_as_a_server_that_refuses():
    output, status = serve("refuses", lambda asked: [json.dumps({
        "jsonrpc": "2.0", "id": asked["id"],
        "error": {"code": 1, "message": "no", "data": [1]}})])
    assert status == 1
    assert output.endswith(": no\n[1]"), output


sys.exit(tap.run(dict(globals())))
