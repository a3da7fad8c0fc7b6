#!/usr/bin/env python3
"""Runs ipc-channel call against the example of a service, and against a server
of the test's own.

usage: test_companion_call.py PROGRAM [SERVICE_SERVER]

Without the example PROGRAM was built without the service, and has no call.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    ABSENT, BAD_FRAME, ERROR_REPLY, FAILED, PATIENCE, TIMED_OUT, USAGE, WORK,
    Program, Tool, fresh, only_posix, run)

SERVER = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
LINES = "--frame=newline"


def with_service(test):
    def run_test():
        if SERVER is None:
            raise unittest.SkipTest("built without the service")
        test()
    return run_test


@contextlib.contextmanager
def clock():
    """The name of the example, which serves."""
    name = fresh()
    with Program(SERVER, name) as server:
        yield name, server.ready("listening")


def result_of(*args, **more):
    tool = run("call", *args, **more)
    output = tool.fine()
    assert tool.err() == "", tool.err()
    assert output.endswith(b"\n"), output
    return json.loads(output)


def error_of(*args):
    """The error that a call is answered: all that it says."""
    tool = run("call", *args)
    assert tool.wait() == ERROR_REPLY, (tool.process.returncode, tool.err())
    assert tool.out() == b""
    assert tool.err().count("\n") == 1, tool.err()
    return json.loads(tool.err())


# ---- The command line --------------------------------------------------------


def test_not_in_this_build():
    if SERVER is not None:
        raise unittest.SkipTest("it is")
    run("call", "x", "get").says(USAGE, "jansson")
    assert b"not in this build" in run("call", "--help").fine()


@with_service
def test_help():
    own = run("call", "--help").fine()
    assert b"ipc-channel call NAME METHOD" in own and b"--notify" in own
    assert run("call", "x", "y", "-h").fine() == own


@with_service
def test_wrong_usage():
    wrong = [
        [], ["a"], ["a", ""], ["a", "--notify"], ["a", "m", "--list"],
        ["a", "--list", "--notify"], ["a", "--list", "--watch"],
        ["a", "m", "--json"], ["a", "m", "--watch", "--notify"],
        ["a", "m", "--frame"], ["a", "m", "--frame=none"], ["a", "m", "--frame=x"],
        ["a", "m", "--frame=length=u8,before=1"], ["a", "m", "--frame=length=u8,after=1"],
        ["a", "m", "--timeout=0"], ["a", "m", "--timeout", "1s"],
        ["a", "m", "--timeout="], ["a", "m", "--timeout=99999999999999999999"],
        ["a", "m", "--loud"], ["a", "m", "--wait=1"], ["a", "m", "--once"],
        ["a", "m", "word"], ["a", "m", "=x"], ["a", "m", ":=1"], ["a", "m", ""],
        ["a", "m", "{}", "a=1"], ["a", "m", "a=1", "{}"], ["a", "m", "{}", "[]"],
        ["a", "m", "a=1", "a:=2"], ["a", "m", "--", "--wait"],
    ]
    for args in wrong:
        tool = run("call", *args)
        tool.says(USAGE, "--help")
        assert tool.out() == b"", args
    run("call", "a/b", "m").says(USAGE, "a/b")


@with_service
def test_bad_json():
    run("call", "a", "m", '{"x": 1,}').says(USAGE, "PARAMS", "line 1, column 9")
    run("call", "a", "m", '[1,\n 2 3]').says(USAGE, "PARAMS", "line 2, column 4")
    run("call", "a", "m", '{"x": 1, "x": 2}').says(USAGE, "duplicate")
    run("call", "a", "m", "x:=1 2").says(USAGE, "x: line 1, column 3")
    run("call", "a", "m", "x:=").says(USAGE, "x: line 1")
    run("call", "a", "m", "-", stdin=b"[\n1 2").says(USAGE, "PARAMS", "line 2")
    run("call", "a", "m", "-", stdin=b"").says(USAGE, "PARAMS")
    run("call", "a", "m", "-", stdin=b"5").says(USAGE, "neither an object nor")
    run("call", "a", "m", "-", stdin=b"[\"\xff\"]").says(USAGE, "PARAMS")
    run("call", "a", "m", "-", stdin=b" " * ((16 << 20) + 1)).says(
        USAGE, str(16 << 20))


# ---- Against the example -----------------------------------------------------


@with_service
def test_call():
    with clock() as (name, _):
        assert result_of(name, "set", LINES, '{"ms": 5000}') is True
        assert result_of(name, "set", "[5000]", LINES) is True
        assert result_of(LINES, name, "set", "ms:=5000") is True
        assert result_of(name, "set", "-", LINES, stdin=b' {"ms":\n5000}\n') is True
        assert result_of(name, "get", LINES) >= 5000
        assert result_of(name, "get", "{}", LINES, "--timeout=60000") >= 5000


@with_service
def test_errors():
    with clock() as (name, server):
        assert error_of(name, "gone", LINES) == {
            "code": -32601, "message": "Method not found"}
        assert error_of(name, "set", LINES, "ms=5") == {
            "code": -32602, "message": "Invalid params",
            "data": {"param": "ms", "problem": "is a string, not an integer"}}
        assert error_of(name, "set", LINES)["data"]["problem"] == "is missing"
        assert not server.is_gone()


@with_service
def test_list():
    with clock() as (name, _):
        assert run("call", name, "--list", LINES).fine().decode().splitlines() == [
            "get",
            "    Tells the time.",
            "    result  any      result    milliseconds",
            "set",
            "    Sets it.",
            "    ms      integer  required  the time, in milliseconds",
            "    result  any      result    true",
            "stop",
            "    (its parameters aren't described)",
            "    (a notification: it has no answer)"]


def only_has(value, required, more=()):
    """Keys of an OpenRPC 1.3.2 object; others are allowed as x-... alone."""
    keys = {key for key in value if not key.startswith("x-")}
    assert set(required) <= keys <= set(required) | set(more), value


def check_descriptor(value):
    only_has(value, ["name", "schema"], ["description", "summary", "required",
                                         "deprecated"])
    assert isinstance(value["name"], str) and value["name"]
    assert isinstance(value.get("required", False), bool)
    assert isinstance(value["schema"], (dict, bool))
    assert isinstance(value.get("description", ""), str)


@with_service
def test_what_is_offered_is_openrpc():
    with clock() as (name, _):
        document = result_of(name, "--list", "--json", LINES)
    only_has(document, ["openrpc", "info", "methods"],
             ["servers", "components", "externalDocs", "$schema"])
    assert document["openrpc"] == "1.3.2"
    only_has(document["info"], ["title", "version"],
             ["description", "termsOfService", "contact", "license"])
    assert all(isinstance(text, str) for text in document["info"].values())
    names = [method["name"] for method in document["methods"]]
    assert names == ["get", "set", "stop"]
    for method in document["methods"]:
        only_has(method, ["name", "params"],
                 ["description", "summary", "servers", "tags", "paramStructure",
                  "result", "errors", "links", "examples", "deprecated",
                  "externalDocs"])
        assert method["paramStructure"] in ("by-position", "by-name", "either")
        for param in method["params"]:
            check_descriptor(param)
        if "result" in method:
            check_descriptor(method["result"])
        # Those that may be left out come last.
        required = [param["required"] for param in method["params"]]
        assert required == sorted(required, reverse=True)


@with_service
def test_notify():
    with clock() as (name, server):
        tool = run("call", name, "stop", "--notify", LINES)
        assert tool.fine() == b"" and tool.err() == ""
        assert server.wait() == 0


@with_service
def test_watch():
    with clock() as (name, _):
        with Tool("call", name, "get", "--watch", LINES) as watcher:
            watcher.prints(b"\n")
            with Tool("call", name, "--watch", LINES) as other:
                # It hears each that comes once it is there.
                while b"was set" not in other.out():
                    run("call", name, "set", "ms:=5", LINES).fine()
                run("call", name, "set", "ms:=6", LINES).fine()
                run("call", name, "stop", "--notify", LINES).fine()
                heard = [json.loads(line) for line in watcher.fine().splitlines()]
                assert isinstance(heard[0], int)
                assert heard[-1] == {"method": "was set", "params": [6]}
                assert all(x == {"method": "was set", "params": [5]}
                           for x in heard[1:-1])
                assert other.fine().endswith(b'{"method":"was set","params":[6]}\n')


@with_service
def test_absent():
    run("call", fresh(), "get").says(ABSENT, "absent")
    run("call", fresh(), "get", LINES).says(ABSENT, "absent")
    run("call", fresh(), "get", "--notify").says(ABSENT, "absent")
    run("call", fresh(), "--list").says(ABSENT, "absent")


@with_service
def test_wait():
    run("call", fresh(), "get", "--wait", "--timeout=200").says(
        TIMED_OUT, "timed out after 200 ms", "nobody")
    name = fresh()
    with Tool("call", name, "get", LINES, "--wait", "--timeout=60000") as tool:
        with Program(SERVER, name):
            assert json.loads(tool.fine()) >= 0


@with_service
def test_the_native_framing():
    name = fresh()
    with Tool("listen", name, "--echo").ready() as server:
        tool = run("call", name, "m", "--notify", "a=1", "b:=[2]")
        assert tool.fine() == b"" and tool.err() == ""
        server.prints(b'{"jsonrpc":"2.0","method":"m",'
                      b'"params":{"a":"1","b":[2]}}\n')
        # Our request comes back as if the server called: what we answer to that
        # comes back too, and answers our own.
        assert error_of(name, "m") == {"code": -32601, "message": "Method not found"}


@with_service
def test_servers_that_are_none():
    name = fresh()
    with Tool("listen", name, stdin=subprocess.PIPE).ready():
        began = time.monotonic()
        run("call", name, "get", "--timeout=300").says(
            TIMED_OUT, "timed out after 300 ms", "no answer")
        assert time.monotonic() - began >= 0.3
    name = fresh()
    with Tool("listen", name, "--once", stdin=b"hello\n").ready():
        run("call", name, "get").says(BAD_FRAME, "JSON-RPC 2.0")
    name = fresh()
    with Tool("listen", name, "--frame=none", stdin=b"HTTP/1.1 400\r\n" * 9).ready():
        run("call", name, "get").says(BAD_FRAME, "native framing")


# ---- Against a server of our own ---------------------------------------------


class Server:
    """Serves one client, a text a line. `answer` makes the texts that are sent of
    a request; None ends the connection."""

    def __init__(self, answer):
        self.path = os.path.join(WORK, fresh())
        self.answer = answer
        self.asked = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.listener.settimeout(PATIENCE)
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        connection = self.listener.accept()[0]
        connection.settimeout(PATIENCE)
        with connection, connection.makefile("rb") as lines:
            with contextlib.suppress(ConnectionResetError):
                self.talk(connection, lines)

    def talk(self, connection, lines):
        for line in lines:
            self.asked.append(json.loads(line))
            texts = self.answer(self.asked[-1])
            if texts is None:
                return
            for text in texts:
                connection.sendall(text + b"\n")

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.thread.join()
        self.listener.close()


def answer(result):
    return lambda asked: [json.dumps(
        {"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()]


def ask(result, *args, **more):
    """What is printed for this result, and what was asked."""
    with Server(answer(result)) as server:
        tool = run("call", server.path, LINES, *args, **more)
        output = tool.fine().decode()
    assert len(server.asked) == 1, server.asked
    assert server.asked[0].pop("jsonrpc") == "2.0"
    server.asked[0].pop("id")
    return output, server.asked[0]


@with_service
@only_posix
def test_what_is_asked():
    def params(*words, **more):
        return ask(None, "m", *words, **more)[1]["params"]
    assert ask(1, "m") == ("1\n", {"method": "m"})
    assert params("a=1") == {"a": "1"}
    assert params("a=", "b=x=y", "c=:=") == {"a": "", "b": "x=y", "c": ":="}
    assert params("a:=1", "b:=null", 'c:={"d": [1.5, "é"]}', "ö= ü ") == {
        "a": 1, "b": None, "c": {"d": [1.5, "é"]}, "ö": " ü "}
    assert params('["x", {}]') == ["x", {}]
    assert params(" {} ") == {}
    assert params('["a\\u0000b"]') == params("-", stdin=b'["a\\u0000b"]') == ["a\0b"]
    assert params('a:="\\u0000"') == {"a": "\0"}
    large = list(range(100000))
    assert params("-", stdin=json.dumps(large).encode()) == large
    assert ask(1, "--", "-m", "a=1") == ("1\n", {"method": "-m", "params": {"a": "1"}})


@with_service
@only_posix
def test_what_is_printed():
    for value in None, False, 0, -5, 1.5, "é\n\x1b", [], {}, [1, {"a": "b"}], 2**53:
        output = ask(value, "m")[0]
        assert output.count("\n") == 1 and output.endswith("\n"), output
        assert json.loads(output) == value
        assert "\x1b" not in output
    assert ask({"a": [1]}, "m")[0] == '{"a":[1]}\n'
    assert ask({"a": [1]}, "m", "--pretty")[0] == (
        '{\n  "a": [\n    1\n  ]\n}\n')
    large = ["x" * 1000] * 5000
    assert json.loads(ask(large, "m")[0]) == large


@with_service
@only_posix
def test_a_terminal():
    try:
        ours, theirs = os.openpty()
    except OSError as why:
        raise unittest.SkipTest(f"no terminals here: {why}") from why
    with Server(answer([1])) as server:
        run("call", server.path, "m", LINES, stdout=theirs).fine()
    assert os.read(ours, 100) == b"[\r\n  1\r\n]\r\n"
    os.close(ours)
    os.close(theirs)


@with_service
@only_posix
def test_an_output_that_is_closed():
    reader, writer = os.pipe()
    os.close(reader)
    with Server(answer(1)) as server:
        tool = run("call", server.path, "m", LINES, stdout=writer)
    os.close(writer)
    tool.says(FAILED, "standard output")


@with_service
@only_posix
def test_answers_that_are_none():
    cases = [
        (lambda asked: [b"{"], BAD_FRAME, "JSON-RPC 2.0"),
        (lambda asked: [json.dumps({"id": asked["id"], "result": 1}).encode()],
         BAD_FRAME, "JSON-RPC 2.0"),
        (lambda asked: [b'{"jsonrpc":"2.0","id":null,"error":'
                        b'{"code":-32700,"message":"bad \\u001b[1m text"}}'],
         BAD_FRAME, "bad  [1m text"),
        (lambda asked: None, FAILED, "without an answer"),
        (lambda asked: [b'{"jsonrpc":"2.0","id":99,"result":1}'], TIMED_OUT,
         "no answer"),
    ]
    for reply, status, words in cases:
        with Server(reply) as server:
            run("call", server.path, "m", LINES, "--timeout=500").says(status, words)


@with_service
@only_posix
def test_errors_as_they_are():
    error = {"code": 7, "message": "no\n", "data": {"é": [None]}}
    with Server(lambda asked: [json.dumps({
            "jsonrpc": "2.0", "id": asked["id"], "error": error}).encode()]) as server:
        assert error_of(server.path, "m", LINES) == error


@with_service
@only_posix
def test_a_document_of_others():
    document = {"openrpc": "1.3.2", "info": {"title": "a\nb", "version": "1"},
                "methods": [
        {"name": "m", "summary": "short", "description": "long\x1b[1m",
         "deprecated": True, "params": [
             {"name": "größe", "schema": {"type": ["string", "null"]}},
             {"name": "p", "required": True, "schema": {"$ref": "#/x/Point"},
              "description": "where"},
             {"$ref": "#/components/contentDescriptors/Other"}],
         "result": {"name": "r", "schema": True}},
        {"name": 5, "params": 6}, 7]}
    output, asked = ask(document, "--list")
    assert asked == {"method": "rpc.discover"}
    assert output.splitlines() == [
        "a b 1", "", "m", "    short", "    (deprecated)",
        "    größe  string|null  optional",
        "    p      Point        required  where",
        "    Other  any          optional",
        "    r      any          result",
        "", "    (a notification: it has no answer)",
        "", "    (a notification: it has no answer)"]
    assert json.loads(ask(document, "--list", "--json")[0]) == document
    with Server(answer([])) as server:
        run("call", server.path, "--list", LINES).says(FAILED, "OpenRPC")


@with_service
@only_posix
def test_notify_as_it_is():
    with Server(lambda asked: []) as server:
        tool = run("call", server.path, "m", "a:=1", "--notify", LINES)
        assert tool.fine() == b""
    assert server.asked == [{"jsonrpc": "2.0", "method": "m", "params": {"a": 1}}]


@with_service
@only_posix
def test_a_notification_before_the_result():
    def reply(asked):
        return [b'{"jsonrpc":"2.0","method":"early","params":{"a":1}}',
                b'{"jsonrpc":"2.0","method":"bare"}', *answer(2)(asked)]
    with Server(reply) as server:
        assert run("call", server.path, "m", LINES).fine() == b"2\n"
    with Server(reply) as server:
        with Tool("call", server.path, "m", LINES, "--watch") as tool:
            tool.prints(b'{"method":"early","params":{"a":1}}\n{"method":"bare"}\n2\n')
            assert not tool.is_gone()
            tool.process.send_signal(signal.SIGINT)
            tool.fine()


@with_service
@only_posix
def test_framings():
    def headers(text):
        return b"Content-Length: %d\r\n\r\n" % len(text) + text

    cases = [
        ("nul", lambda text: text + b"\0"),
        ("delimiter=0x1e", lambda text: text + b"\x1e"),
        ("length=u32le", lambda text: len(text).to_bytes(4, "little") + text),
        ("length=u32be", lambda text: len(text).to_bytes(4, "big") + text),
        ("length=u16be,counts=length",
         lambda text: (len(text) + 2).to_bytes(2, "big") + text),
        ("content-length", headers),
    ]
    for frame, wrap in cases:
        text = b'{"jsonrpc":"2.0","method":"m","id":1}'
        with socket.socket(socket.AF_UNIX) as listener:
            path = os.path.join(WORK, fresh())
            listener.bind(path)
            listener.listen()
            listener.settimeout(PATIENCE)
            with Tool("call", path, "m", "--frame", frame) as tool:
                connection = listener.accept()[0]
                with connection, connection.makefile("rb") as stream:
                    assert stream.read(len(wrap(text))) == wrap(text), frame
                    connection.sendall(
                        wrap(b'{"jsonrpc":"2.0","id":1,"result":[]}'))
                    assert tool.fine() == b"[]\n"


sys.exit(tap.run(dict(globals())))
