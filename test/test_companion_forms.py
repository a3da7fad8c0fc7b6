#!/usr/bin/env python3
"""Tests of ipc-channel: the framings it speaks, and the forms that messages have
in its input and output.

usage: test_companion_forms.py PROGRAM
"""

import contextlib
import datetime
import json
import os
import socket
import struct
import sys
import time
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import tap  # noqa: E402
from companion import (  # noqa: E402
    BAD_FRAME, IS_WINDOWS, NO_PACKETS, PATIENCE, WORK, Tool, fresh, has_packets,
    only_posix, run, text, wait_until)

# What --frame says, and how two messages look on the wire.
MESSAGES = b"one", b"and two"
LINES = b"".join(message + b"\n" for message in MESSAGES)


def wire(head, tail=b""):
    return b"".join(head(m) + m + tail for m in MESSAGES)


def delimited(byte):
    return wire(lambda m: b"", byte)


def counted(layout, more=0):
    return wire(lambda m: struct.pack(layout, len(m) + more))


WIRES = {
    "newline": delimited(b"\n"),
    "nul": delimited(b"\0"),
    "form-feed": delimited(b"\f"),
    "delimiter=0x1e": delimited(b"\x1e"),
    "delimiter=255": delimited(b"\xff"),
    "length": counted("<I"),
    "length=u8": counted("B"),
    "length=u16le": counted("<H"),
    "length=u16be": counted(">H"),
    "length=u32le": counted("<I"),
    "length=u32be": counted(">I"),
    "length=u64le": counted("<Q"),
    "length=u64be": counted(">Q"),
    "length=u16be,counts=length": counted(">H", 2),
    "length=u32be,counts=header": counted(">I", 4),
    "length=u8,counts=-1": counted("B", -1),
    "content-length": wire(lambda m: b"Content-Length: %d\r\n\r\n" % len(m)),
}


# ---- On the wire -------------------------------------------------------------


@contextlib.contextmanager
def connected(kind, *options, **more):
    """A client, and the socket of its server, which is this program."""
    path = os.path.join(WORK, fresh())
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(path)
        listener.listen()
        listener.settimeout(PATIENCE)
        with Tool("connect", path, *options, **more) as client:
            server = listener.accept()[0]
            server.settimeout(PATIENCE)
            with server:
                yield client, server


def receive_all(source):
    data = bytearray()
    while part := source.recv(1 << 16):
        data += part
    return bytes(data)


@only_posix
def test_framings_on_the_wire():
    for frame, bytes_there in WIRES.items():
        with connected(socket.SOCK_STREAM, "--frame", frame, stdin=LINES) as (
                client, server):
            assert receive_all(server) == bytes_there, frame
            server.sendall(bytes_there)
            server.shutdown(socket.SHUT_WR)
            assert client.fine() == LINES, frame


@only_posix
def test_packets_on_the_wire():
    if not has_packets():
        run("listen", fresh(), "--frame", "packet").says(2, NO_PACKETS)
        return
    with connected(socket.SOCK_SEQPACKET, "--frame=packet", stdin=LINES) as (
            client, server):
        assert [server.recv(100) for _ in range(3)] == [*MESSAGES, b""]
        for message in MESSAGES:
            server.send(message)
        server.close()
        assert client.fine() == LINES


@only_posix
def test_a_header_with_more_than_a_length():
    frames = b"\1\0\7\x55abcd" + b"\2\0\3\xaa"
    options = "--frame", "length=u16be,before=1,after=1,counts=3"
    for each, form in (lambda x: b'"%s"\n' % x, "quoted"), (lambda x: x, "hex"):
        lines = (b"0100ff55" + b"61626364\n" + b"0200ffaa\n" if form == "hex" else
                 each(rb"\001\377\377\x55abcd") + each(rb"\2\0\0\252"))
        with connected(socket.SOCK_STREAM, *options, "--input", form, "--output",
                       "hex", stdin=lines) as (client, server):
            assert receive_all(server) == frames
            server.sendall(frames)
            server.shutdown(socket.SHUT_WR)
            assert client.fine() == b"0100075561626364\n020003aa\n"


@only_posix
def test_a_server_of_our_own_on_the_wire():
    path = os.path.join(WORK, fresh())
    with Tool("listen", path, "--echo", "--frame=length=u16be").ready() as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(PATIENCE)
            client.connect(path)
            client.sendall(counted(">H"))
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == counted(">H")
        assert server.out() == LINES


@only_posix
def test_bad_frames():
    for frame, rubbish in [("content-length", b"Content-Length: x\r\n\r\n"),
                           ("length=u32be", b"\xff\xff\xff\xff"),
                           ("length=u8,counts=length", b"\0")]:
        with connected(socket.SOCK_STREAM, "--frame", frame) as (client, server):
            server.sendall(rubbish)
            client.says(BAD_FRAME, "bad frame")


@only_posix
def test_the_middle_of_a_message():
    with connected(socket.SOCK_STREAM, "--frame=nul") as (client, server):
        server.sendall(b"whole\0half")
        server.close()
        client.says(1, "left")
        assert client.out() == b"whole\n"


# ---- Among ourselves ---------------------------------------------------------


def test_framings_among_ourselves():
    every_byte = bytes(range(256))
    for frame in ["native", "length=u16be", "content-length", "newline", "packet"]:
        if frame == "packet" and not has_packets():
            continue
        name, options = fresh(), ["--frame", frame, "--output=hex"]
        content = every_byte.replace(b"\n", b"") if frame == "newline" else every_byte
        lines = content.hex().encode() + b"\n61\n"
        with Tool("listen", name, "--echo", *options).ready() as server:
            # On Windows the end of the input isn't told, nor is it needed.
            with Tool("connect", name, *options, "--input=hex", stdin=lines) as client:
                client.prints(lines)
                assert server.out() == lines, frame


@only_posix
def test_long_and_empty_messages_among_ourselves():
    for frame in "length=u32be", "content-length", "newline":
        name, content = fresh(), text(300)
        with Tool("listen", name, "--echo", "--frame", frame).ready():
            client = run("connect", name, "--frame", frame, stdin=content)
            assert client.fine() == content, frame


def test_both_sides_have_packets_or_neither():
    if IS_WINDOWS or not has_packets():
        raise unittest.SkipTest("a pipe can't tell, or there are no packets")
    name = fresh()
    with Tool("listen", name).ready():
        run("connect", name, "--frame=packet").says(BAD_FRAME, "packets")


# ---- Forms -------------------------------------------------------------------


def sent(lines, *options, form):
    """What a server prints of these lines in this form."""
    name = fresh()
    with Tool("listen", name, "--once", *options).ready() as server:
        run("connect", name, "--input", form, stdin=lines).fine()
        return server.fine()


def test_quoted():
    every_byte = bytes(range(256))
    lines = b'"' + b"".join(b"\\%03o" % byte for byte in every_byte) + b'"\n'
    shown = sent(lines, "--output=quoted", form="quoted")
    assert shown.startswith(rb'"\000\001\002\003\004\005\006\a\b\t\n\v\f\r\016')
    assert rb' !\"#$%' in shown and rb"[\\]" in shown
    assert shown.endswith(b'\\377"\n') and shown.isascii() and shown.count(b"\n") == 1
    assert sent(shown, "--output=hex", form="quoted") == every_byte.hex().encode() + b"\n"
    # A digit behind an escape, and nothing at all.
    assert sent(b'"\\0011"\n""\r\n  "a\\x41B"  ', "--output=quoted", form="quoted") == (
        b'"\\0011"\n""\n"aAB"\n')
    assert sent(b'"two\\nlines"\n', form="quoted") == b"two\nlines\n"


def test_hex():
    assert sent(b"00 0A\tff\n\n6162\r\n", "--output=hex", form="hex") == (
        b"000aff\n\n6162\n")
    assert sent(b"c3a4\n", form="hex") == "ä\n".encode()


def test_json():
    contents = ["plain", "", 'q"uo\\te\n\t\0\x7f', "ä€😀"]
    broken = [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"]
    lines = b"".join(x.hex().encode() + b"\n"
                     for x in [*(c.encode() for c in contents), *broken])
    objects = [json.loads(line) for line in
               sent(lines, "--output=json", form="hex").splitlines()]
    assert [x["text"] for x in objects[:4]] == contents
    assert [bytes.fromhex(x["hex"]) for x in objects[4:]] == broken
    for one, content in zip(objects, [*(c.encode() for c in contents), *broken]):
        assert one["bytes"] == len(content)
        assert one["connection"] == 1
        assert one["pid"] is None or one["pid"] > 0
        when = datetime.datetime.strptime(one["time"], "%Y-%m-%dT%H:%M:%S.%fZ")
        assert abs((when - datetime.datetime(1970, 1, 1)).total_seconds() -
                   time.time()) < 600


def test_json_tells_clients_apart():
    name = fresh()
    with Tool("listen", name, "--output=json").ready() as server:
        for number in 1, 2:
            with Tool("connect", name, stdin=b"here\n") as client:
                server.prints(b'"connection":%d,' % number)
                if not IS_WINDOWS:
                    assert b'"pid":%d,' % client.process.pid in server.out()


def test_forms_without_framing():
    name = fresh()
    with Tool("listen", name, "--frame=none", "--output=quoted", "--echo").ready():
        with Tool("connect", name, "--frame=none", "--input=quoted", "--output=hex",
                  stdin=b'""\n"\\0a\\n"\n') as client:
            client.prints(b"00610a\n")
    name = fresh()
    with Tool("listen", name, "--frame=none").ready() as server:
        with Tool("connect", name, "--frame=none", "--input=hex",
                  stdin=b"61" * 3000000):
            wait_until(lambda: len(server.out()) == 3000000, "all of it")
            assert server.out() == b"a" * 3000000


def test_lines_that_are_none():
    wrong = {
        "quoted": [b"plain", b'"open', b'"a" b', rb'"\q"', rb'"\xg0"', rb'"\400"',
                   b'"\\', b"", b'"'],
        "hex": [b"0", b"0g", b"a b", b"00 1", b'"00"'],
    }
    for form, lines in wrong.items():
        good = b'"ok"\n' if form == "quoted" else b"6f6b\n"
        for line in lines:
            name = fresh()
            with Tool("listen", name, "--once").ready() as server:
                client = run("connect", name, "--input", form,
                             stdin=good + line + b"\n" + good)
                client.says(1, "line 2: ")
                # What came before it has arrived.
                assert server.fine() == b"ok\n", line


def test_messages_that_a_framing_can_not_have():
    for frame, line, why in [("newline", b'"a\\nb"', "ends one"),
                             ("nul", b'"a\\0"', "ends one"),
                             ("packet", b'""', "empty"),
                             ("length=u8,before=1", b'"a"', "header")]:
        if frame == "packet" and not has_packets():
            continue
        name = fresh()
        with Tool("listen", name, "--frame", frame).ready() as server:
            with Tool("connect", name, "--frame", frame, "--input=quoted",
                      stdin=b'"fine"\n' + line) as client:
                server.prints(b"n")
                # On Windows it leaves some seconds later.
                client.says(1, "line 2: ", why)
    name = fresh()
    with Tool("listen", name, "--frame=length=u8").ready():
        run("connect", name, "--frame=length=u8", stdin=b"x" * 256).says(
            1, "256 bytes", "framing")


def test_wrong_usage():
    for frame in ["lines", "", "delimiter", "delimiter=", "delimiter=256",
                  "delimiter=-1", "delimiter=x", "delimiter=0x", "length=", "length=u24",
                  "length=u32", "length=u8,", "length=u8,before", "length=u8,before=",
                  "length=u8,before=65", "length=u8,after=-1", "length=u8,counts=all",
                  "length=u8,counts=137", "length=u8,size=1", "length=u8,before=1x",
                  "packets", "codec"]:
        run("connect", "a", "--frame", frame).says(2, "--frame", "--help")
    for form in "json", "lines", "":
        run("connect", "a", "--input", form).says(2, "--input is raw, quoted or hex")
    for form in "text", "":
        run("listen", "a", "--output", form).says(2, "--output", "json")


sys.exit(tap.run(dict(globals())))
