#!/usr/bin/env python3
"""Runs ipc-channel bench: what it counts and says, never how fast it is.

usage: test_companion_bench.py PROGRAM
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    ABSENT, BAD_FRAME, FAILED, IS_WINDOWS, NO_PACKETS, TIMED_OUT, USAGE, WORK, Tool,
    fresh, has_packets, only_posix, run, wait_until)

RUN = {"size_bytes": int, "messages": int, "elapsed_s": float,
       "messages_per_s": float, "mib_per_s": float, "p50_us": float,
       "p90_us": float, "p99_us": float, "p99_9_us": float, "max_us": float}


def check(document):
    assert set(document) == {"frame", "clients", "pipeline", "interrupted",
                             "runs"}, document
    for one in document["runs"]:
        assert {key: type(value) for key, value in one.items()} == RUN, one
        assert one["messages"] > 0 and one["elapsed_s"] > 0, one
        latencies = [one[f"{p}_us"] for p in ("p50", "p90", "p99", "p99_9", "max")]
        assert latencies == sorted(latencies) and latencies[0] > 0, one
        rate = one["messages"] / one["elapsed_s"]
        assert abs(one["messages_per_s"] / rate - 1) < 0.01, one
        wanted = rate * one["size_bytes"] / (1 << 20)
        assert abs(one["mib_per_s"] - wanted) <= 0.01 * wanted + 1e-5, one
    return document


def measure(*args):
    tool = run("bench", "--json", *args)
    output = tool.fine()
    assert tool.err() == "", tool.err()
    assert output.count(b"\n") == 1
    return check(json.loads(output))


def nothing_is_left():
    """Where a name is a file: no server's is there."""
    return IS_WINDOWS or not any("ipc-channel-bench" in x for x in os.listdir(WORK))


# ---- The command line --------------------------------------------------------


def test_wrong_usage():
    wrong = [
        ["a", "b"], ["--size"], ["--size="], ["--size=1,"], ["--size=,1"],
        ["--size=1,,2"], ["--size=x"], ["--size=-1"], ["--size=16777217"],
        ["--size=" + "1," * 32 + "1"], ["--clients=0"], ["--clients=1001"],
        ["--pipeline=0"], ["--pipeline=10001"], ["--duration=0"], ["--count=0"],
        ["--count=5", "--duration=5"], ["--timeout=0"], ["--loud"], ["--json=1"],
        ["--echo"], ["--serve"], ["x", "--serve"], ["--frame"], ["--frame=x"],
        ["--frame=none"], ["--frame=length=u8,before=1"],
        ["--frame=length=u8,after=1"], ["--frame=packet", "--size=5,0"],
    ]
    for args in wrong:
        tool = run("bench", *args)
        tool.says(USAGE, "--help")
        assert tool.out() == b"", args
    run("bench", "a/b").says(USAGE, "a/b")


# ---- Measuring ---------------------------------------------------------------


def test_a_server_of_its_own():
    document = measure("--size=0,1,7,8,9,64,70000", "--count=200")
    assert document["clients"] == document["pipeline"] == 1
    assert document["frame"] == "native"
    assert document["interrupted"] is False
    assert [one["size_bytes"] for one in document["runs"]] == [0, 1, 7, 8, 9, 64, 70000]
    assert all(one["messages"] == 200 for one in document["runs"])
    assert nothing_is_left()


def test_several_clients_and_messages():
    document = measure("--size", "100,3000000", "--count", "50", "--clients", "5",
                       "--pipeline", "7")
    assert (document["clients"], document["pipeline"]) == (5, 7)
    assert [one["messages"] for one in document["runs"]] == [50, 50]
    # Fewer messages than clients.
    document = measure("--size=10", "--count=3", "--clients=5")
    assert document["runs"][0]["messages"] == 3


def test_for_a_while():
    document = measure("--size=64", "--duration=200", "--clients=2", "--pipeline=4")
    assert document["runs"][0]["elapsed_s"] > 0.1
    # However short it is.
    assert measure("--size=64", "--duration=1")["runs"][0]["messages"] >= 1


def test_a_server_that_is_there():
    name = fresh()
    with Tool("listen", name, "--echo").ready() as server:
        document = measure(name, "--size=64,1024", "--count=100", "--clients=3",
                           "--pipeline=10")
        assert [one["messages"] for one in document["runs"]] == [100, 100]
        assert not server.is_gone()
        # Every message went there, and is printed with a newline.
        wait_until(lambda: len(server.out()) == 100 * (65 + 1025), "all of them")


FRAMINGS = ["native", "newline", "nul", "delimiter=0x80", "delimiter=255", "length",
            "length=u16be,counts=header", "length=u64le", "content-length"]


def test_framings():
    """No message has the byte that ends one, however many there are."""
    for frame in FRAMINGS:
        document = measure("--frame", frame, "--size=0,7,60000", "--count=300",
                           "--clients=2", "--pipeline=5")
        assert document["frame"] == frame
        assert [one["messages"] for one in document["runs"]] == [300] * 3, frame
    assert nothing_is_left()


def test_framings_of_a_server_that_is_there():
    for frame in "newline", "length=u16le", "content-length":
        name = fresh()
        with Tool("listen", name, "--echo", "--frame", frame).ready():
            document = measure(name, "--frame", frame, "--size=100", "--count=50")
            assert document["runs"][0]["messages"] == 50


def test_packets():
    args = "--frame=packet", "--size=1,9,20000", "--count=100", "--pipeline=3"
    if has_packets():
        assert [one["messages"] for one in measure(*args)["runs"]] == [100] * 3
    else:
        run("bench", *args).says(FAILED, NO_PACKETS)


def test_a_size_that_the_framing_can_not_tell():
    tool = run("bench", "--frame=length=u8", "--size=255,256", "--count=5")
    tool.says(FAILED, "a message of 256 bytes")
    assert b" 255 " in tool.out()


def test_as_text():
    tool = run("bench", "--size=64,100000", "--count=20")
    lines = tool.fine().decode().splitlines()
    assert len(lines) == 3, lines
    assert lines[0].split()[:4] == ["bytes", "messages", "messages/s", "MiB/s"]
    assert [line.split()[:2] for line in lines[1:]] == [["64", "20"], ["100000", "20"]]
    assert all(len(line.split()) == 9 for line in lines[1:])
    ends = {line.index(word) + len(word)
            for line, word in zip(lines, ("messages", " 20", " 20"))}
    assert len(ends) == 1, lines


# ---- What goes wrong ---------------------------------------------------------


def test_absent():
    tool = run("bench", fresh())
    tool.says(ABSENT, "absent")
    assert tool.out() == b""


def test_a_server_that_does_not_answer():
    name = fresh()
    with Tool("listen", name, stdin=subprocess.PIPE).ready():
        run("bench", name, "--timeout=300", "--json").says(
            TIMED_OUT, "timed out after 300 ms", "echo")


def test_a_server_that_says_something_else():
    cases = [(b"x\n", "1", "byte 1 of reply 1"), (b"xy\n", "5", "2 bytes"),
             # The first one is what an echo would be.
             (b"\n\n", "0,64", "0 bytes")]
    for said, size, words in cases:
        name = fresh()
        with Tool("listen", name, "--once", stdin=said).ready():
            tool = run("bench", name, "--size", size, "--count=1", "--json")
            tool.says(FAILED, "no echo", words)
            assert tool.out() == b""


def test_another_framing():
    name = fresh()
    with Tool("listen", name, "--frame=none", stdin=b"HTTP/1.1 400\r\n" * 9).ready():
        run("bench", name).says(BAD_FRAME, "native framing")


def test_a_server_that_leaves():
    name = fresh()
    with Tool("listen", name, "--echo").ready() as server:
        with Tool("bench", name, "--duration=600000", "--json") as tool:
            wait_until(lambda: len(server.out()) > 0, "messages")
            server.process.kill()
            server.wait()
            tool.says(FAILED, "left")


@only_posix
def test_a_server_that_changes_a_byte():
    """A relay of the test's own between bench and an echo server, which changes
    the last byte of all that has come once."""
    name, front = fresh(), os.path.join(WORK, fresh())
    with Tool("listen", name, "--echo").ready():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(front)
            listener.listen()
            listener.settimeout(60)
            with Tool("bench", front, "--size=100", "--json") as tool:
                client = listener.accept()[0]
                server = socket.socket(socket.AF_UNIX)
                server.connect(os.path.join(WORK, name + ".sock"))
                with client, server:
                    pass_on(client, server)
                    tool.says(FAILED, "no echo", "byte 100 of reply 1 ")


def pass_on(client, server):
    seen = 0
    while True:
        for one in select.select([client, server], [], [])[0]:
            try:
                data = bytearray(one.recv(1 << 16))
            except ConnectionResetError:
                return
            if not data:
                return
            if one is server:
                seen += len(data)
                if len(data) >= 100:
                    data[-1] ^= 1
            (server if one is client else client).sendall(data)


# ---- Its end -----------------------------------------------------------------


@only_posix
def test_interrupted():
    for number in signal.SIGINT, signal.SIGTERM:
        with Tool("bench", "--size=64,100", "--duration=600000", "--json") as tool:
            wait_until(lambda: not nothing_is_left(), "its server")
            tool.process.send_signal(number)
            document = check(json.loads(tool.fine()))
            assert document["interrupted"] is True
            assert len(document["runs"]) <= 1
        assert nothing_is_left()


@only_posix
def test_interrupted_by_the_keyboard():
    """That goes to its server too."""
    with Tool("bench", "--duration=600000", start_new_session=True) as tool:
        tool.prints(b"messages/s")
        os.killpg(tool.process.pid, signal.SIGINT)
        tool.fine()
        assert tool.err() == ""
    assert nothing_is_left()


@only_posix
def test_killed():
    with Tool("bench", "--duration=600000") as tool:
        tool.prints(b"messages/s")
        tool.process.kill()
        tool.wait()
        wait_until(nothing_is_left, "the end of its server")


@only_posix
def test_an_output_that_is_closed():
    reader, writer = os.pipe()
    os.close(reader)
    tool = run("bench", "--size=64", "--count=5", stdout=writer)
    os.close(writer)
    tool.says(FAILED, "standard output")


sys.exit(tap.run(dict(globals())))
