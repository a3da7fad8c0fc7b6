#!/usr/bin/env python3
"""mpv's JSON IPC, a line a message: over the socket that it makes, and over one
that it is given as the child of this library.

usage: test_mpv.py INTEROP_PEER COMPANION
"""

import json
import sys

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import Program, conversation, fresh, needs, peer, test  # noqa: E402

MPV = ["mpv", "--idle", "--no-config", "--vo=null", "--ao=null"]

# An argument of a program can't be much longer.
LARGE = "x" * 100000


def say(number, *command):
    return "say=" + json.dumps({"command": command, "request_id": number})


def hear(number):
    return f'hear="request_id":{number},'


# Answers to requests, and events that nobody asked for in between.
STEPS = [
    say(1, "get_property", "volume"), hear(1),
    say(2, "observe_property", 7, "volume"), "hear=property-change",
    say(3, "set_property", "volume", 42), "hear=\"data\":42.0",
    say(4, "get_property", "no such thing"), hear(4),
    *[say(10 + i, "script-message", f"{i} é" + LARGE) for i in range(20)],
    "hear=19 éxxx",
    say(5, "get_property", "volume"), hear(5),
    say(6, "quit"),
]


def check(output):
    said = [json.loads(line) for line in output.splitlines()
            if not line.startswith("exit ")]
    answers = {one["request_id"]: one for one in said if "request_id" in one}
    assert answers[1] == {"data": 100.0, "request_id": 1, "error": "success"}
    assert answers[4]["error"] == "property not found"
    assert answers[5]["data"] == 42.0
    # The last word is this side's.
    assert list(answers) == [1, 2, 3, 4, *range(10, 30), 5], list(answers)
    changes = [one["data"] for one in said if one.get("event") == "property-change"]
    assert changes == [100.0, 42.0], changes
    messages = [one["args"] for one in said if one.get("event") == "client-message"]
    assert messages == [[f"{i} é" + LARGE] for i in range(20)], len(messages)


@conversation
def socket_of_mpv(way):
    needs("mpv")
    where = fresh()
    with Program(*MPV, "-v", f"--input-ipc-server={where}") as mpv:
        mpv.wait_for("Listening to IPC socket")
        with way.to(where) as front, peer("join", "lines", front, *STEPS) as ours:
            check(ours.fine())
            mpv.fine()


@test
def test_descriptor_of_mpv():
    """No relay: it has no endpoint."""
    needs("mpv")
    command = " ".join(MPV + ["--no-terminal", "--input-ipc-client=fd://3"])
    with peer("spawn3", "lines", command, *STEPS) as ours:
        output = ours.fine()
        check(output)
        assert output.endswith("exit 0, signal 0\n")


interop.run()
