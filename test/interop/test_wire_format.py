#!/usr/bin/env python3
"""Holds the library to docs/wire-format.md: replays the document's exchanges,
breaks each of its rules once, and talks to the examples through wire_client.py.

usage: test_wire_format.py SOURCE_ROOT ECHO_SERVER CHAT_SERVER
"""

import atexit
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # the source folder stays clean
sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import tap  # noqa: E402
from wire_client import (  # noqa: E402
    FIN, FIN_ACK, HELLO, MESSAGE, PING, PONG, REPLY, REQUEST, TAKEN, frame, talk)

# What a server of the same limit answers: the verdict 0, "accepted", with the
# features HEARTBEAT and CALLS.
GREETING = HELLO[:5] + b"\0\x03\0" + HELLO[8:]

ROOT, ECHO_SERVER, CHAT_SERVER = sys.argv[1:]

# Only so that a hanging test fails.
PATIENCE = 60

WORK = tempfile.mkdtemp(prefix="ipcw-", dir="/tmp")
os.environ["XDG_RUNTIME_DIR"] = WORK
servers = []


def stop():
    for server in servers:
        server.kill()
        server.wait()
    shutil.rmtree(WORK, True)


def serve(program, name):
    """Starts a server; returns its path when it listens."""
    server = subprocess.Popen([program, name], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
    servers.append(server)
    assert b"listening" in server.stdout.readline()
    return os.path.join(WORK, name + ".sock")


def connect(path):
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(PATIENCE)
    client.connect(path)
    return client


def receive(client, size):
    """So many bytes, or fewer where the server ends first."""
    got = b""
    while len(got) < size:
        try:
            data = client.recv(size - len(got))
        except ConnectionResetError:  # it left without having read all of ours
            break
        if not data:
            break
        got += data
    return got


def document():
    with open(os.path.join(ROOT, "docs", "wire-format.md"), encoding="utf-8") as file:
        return file.read()


def exchanges():
    """The document's examples: lists of who sends what, (b"C" or "S", bytes)."""
    for block in re.findall(r"^```hex\n(.*?)^```", document(), re.DOTALL | re.MULTILINE):
        steps = []
        for line in block.splitlines():
            who, data = re.fullmatch(r"([CS])  ((?:[0-9a-f]{2} ?)+|end)(?: .*)?",
                                     line).groups()
            data = b"" if data == "end" else bytes.fromhex(data)
            if steps and who == "C" and steps[-1][0] == "C":
                data = steps.pop()[1] + data
            steps.append((who, data))
        yield steps


def is_hung_up(data, greeted=True):
    """Whether the server hangs up after these bytes and sends its hello at most,
    and that where it has got one."""
    with connect(ECHO) as client:
        client.sendall((HELLO if greeted else b"") + data)
        got = receive(client, 1 << 20)
    return got == (GREETING if greeted else b"")


def is_taken(data):
    """Whether the server skips these bytes and goes on."""
    with connect(ECHO) as client:
        client.sendall(HELLO + data + frame(MESSAGE, b"x"))
        return receive(client, 25) == GREETING + frame(MESSAGE, b"x")


def hello(features=0, heartbeat_ms=0):
    return HELLO[:6] + struct.pack("<H", features) + HELLO[8:12] + struct.pack(
        "<I", heartbeat_ms)


def request(call, body):
    return frame(REQUEST, struct.pack("<I", call) + body)


def nobody_answers(call):
    return frame(REPLY, struct.pack("<II", call, 1))


def test_the_document_s_examples():
    count = 0
    for steps in exchanges():
        count += 1
        with connect(ECHO) as client:
            for who, data in steps:
                if who == "C":
                    client.sendall(data)
                else:
                    got = receive(client, max(len(data), 1))
                    assert got == data, f"{got.hex(' ')} for {data.hex(' ')}"
    assert count >= 3


def test_the_client_is_short():
    with open(os.path.join(ROOT, "test", "interop", "wire_client.py"),
              encoding="utf-8") as file:
        assert len(file.readlines()) < 60


def test_messages_come_back():
    messages = [b"", b"one", bytes(range(256)), b"x" * 300000]
    assert talk(ECHO, messages) == (messages, len(messages))


def test_nothing_at_all():
    assert talk(ECHO, []) == ([], 0)


def test_byte_by_byte():
    with connect(ECHO) as client:
        for byte in HELLO + frame(MESSAGE, b"slow") + frame(FIN):
            client.send(bytes([byte]))
            time.sleep(0.001)
        answer = GREETING + frame(MESSAGE, b"slow") + frame(FIN_ACK, struct.pack("<Q", 1))
        assert receive(client, len(answer)) == answer


def test_no_hello():
    assert is_hung_up(b"GET / HTTP/1.1\r\n\r\n", greeted=False)
    assert is_hung_up(b"\x89IPX", greeted=False)


def test_other_version():
    for version in 0, 2, 255:
        with connect(ECHO) as client:
            client.sendall(HELLO[:4] + bytes([version]) + HELLO[5:])
            hello = receive(client, 16)
            assert hello[:6] == b"\x89IPC\x01\x03"
            client.shutdown(socket.SHUT_WR)
            assert receive(client, 1) == b""


def test_no_message_may_be_sent():
    assert is_hung_up(HELLO[:8] + bytes(8), greeted=False)


def test_what_a_client_s_hello_may_hold():
    with connect(ECHO) as client:
        client.sendall(HELLO[:5] + b"\x01\xf3\xff" + HELLO[8:12] + b"\xff\xff\xff\xff")
        assert receive(client, 16) == GREETING


def test_message_too_large():
    assert is_hung_up(struct.pack("<IBxxx", (16 << 20) + 1, MESSAGE))
    assert is_hung_up(struct.pack("<IBxxx", 0xFFFFFFFF, MESSAGE))


def test_bytes_after_the_kind():
    for place in range(3):
        header = bytearray(frame(MESSAGE))
        header[5 + place] = 1
        assert is_hung_up(bytes(header))


def test_unknown_kinds():
    for kind in 0x00, 0x04, 0x7F:
        assert is_taken(frame(kind, b"whatever"))
        assert is_taken(frame(kind, bytes(1 << 16)))
        assert is_hung_up(struct.pack("<IBxxx", (1 << 16) + 1, kind))
    for kind in 0x85, 0xFF:
        assert is_hung_up(frame(kind))


def test_ping():
    with connect(ECHO) as client:
        client.sendall(HELLO + frame(PING, b"12345678"))
        assert receive(client, 32) == GREETING + frame(PONG, b"12345678")
    assert is_taken(frame(PONG, b"12345678"))
    assert is_hung_up(frame(PING, b"1234567"))
    assert is_hung_up(frame(PONG, b"123456789"))


def test_fin():
    assert is_hung_up(frame(FIN, b"x"))
    for after in (frame(FIN), frame(MESSAGE, b"x"), request(1, b"x"),
                  frame(REPLY, bytes(8))):
        with connect(ECHO) as client:
            client.sendall(HELLO + frame(FIN) + after)
            got = receive(client, 1 << 20)
            assert got.startswith(GREETING) and b"x" not in got
            assert bytes([REPLY]) not in got


def test_fin_ack():
    assert is_hung_up(frame(FIN_ACK, bytes(8)))
    assert is_hung_up(frame(FIN_ACK, bytes(7)))


def test_abstract_name():
    """A name of Linux that is no path, exactly as long as it is."""
    name = f"ipc-channel-test-{os.getpid()}"
    server = subprocess.Popen(
        [ECHO_SERVER, "@" + name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        line = server.stdout.readline().decode()
        if "not supported" in line:
            return
        assert line == f"listening on @{name}\n", line
        assert talk("\0" + name, [b"hi", b""]) == ([b"hi", b""], 2)
        assert not os.path.exists("@" + name)
    finally:
        server.terminate()
        server.wait()


def test_taken():
    def taken(count):
        return frame(TAKEN, struct.pack("<Q", count))

    message = frame(MESSAGE, b"hi")
    assert is_taken(taken(0))
    assert is_hung_up(taken(1))  # of nothing
    assert is_hung_up(frame(TAKEN, bytes(7)))
    with connect(ECHO) as client:
        client.sendall(HELLO + message)
        answer = GREETING + message + taken(1)  # the last with the hello alone
        assert receive(client, len(answer)) == answer
        client.sendall(message)
        assert receive(client, len(message)) == message
        client.sendall(taken(1) + taken(2) + frame(FIN))
        assert receive(client, 16 + 8) == frame(FIN_ACK, struct.pack("<Q", 2)) + frame(FIN)
        # It has been told all that it could ask for.
        assert receive(client, 1) == b""


def test_requests():
    calls = [7, 0, 0xFFFFFFFF, 7]
    with connect(ECHO) as client:
        client.sendall(hello(features=2) + b"".join(request(c, b"x") for c in calls) +
                       request(1, b"") + frame(FIN))
        answer = GREETING + b"".join(map(nobody_answers, calls + [1])) + frame(
            FIN_ACK, struct.pack("<Q", 5))
        assert receive(client, len(answer)) == answer
    for size in range(4):
        assert is_hung_up(frame(REQUEST, bytes(size)))
    assert is_hung_up(struct.pack("<IBxxx", (16 << 20) + 5, REQUEST))


def test_replies():
    late = frame(REPLY, struct.pack("<II", 1, 0) + b"nobody asked")
    assert is_taken(late)
    with connect(ECHO) as client:
        client.sendall(HELLO + late + late + frame(FIN))
        assert receive(client, 32) == GREETING + frame(FIN_ACK, struct.pack("<Q", 2))
    for size in range(8):
        assert is_hung_up(frame(REPLY, bytes(size)))
    assert is_hung_up(frame(REPLY, struct.pack("<II", 1, 2)))
    assert is_hung_up(struct.pack("<IBxxx", (16 << 20) + 9, REPLY))


def test_beats():
    beat = frame(PONG, bytes(8))
    with connect(ECHO) as client:
        client.sendall(hello(heartbeat_ms=90))
        start = time.monotonic()
        assert receive(client, 16 + 5 * 16) == GREETING + 5 * beat
        assert time.monotonic() - start >= 5 * 0.030 - 0.01


def test_no_beats_that_nobody_asked_for():
    with connect(ECHO) as client:
        client.sendall(hello(features=1))
        assert receive(client, 16) == GREETING
        client.settimeout(0.2)
        try:
            assert client.recv(1) is None
        except TimeoutError:
            pass


def test_a_slow_reader_holds_nobody_up():
    chat = serve(CHAT_SERVER, "chat")
    count = 5000
    with connect(chat) as slow:
        slow.sendall(HELLO + frame(MESSAGE, b"slow"))
        assert receive(slow, 16)[:6] == b"\x89IPC\x01\x00"
        _, taken = talk(chat, [b"fast"] + [b"x" * 1000] * count)
        assert taken == count + 1
        text, heard = b"", 0
        while text != b"(you missed something)":
            size, kind = struct.unpack("<IBxxx", receive(slow, 8))
            text = receive(slow, size)
            assert kind == MESSAGE
            heard += text.startswith(b"fast: ")
        assert 0 < heard < count


atexit.register(stop)
ECHO = serve(ECHO_SERVER, "echo")
sys.exit(tap.run(dict(globals())))
