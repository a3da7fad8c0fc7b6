#!/usr/bin/env python3
"""A language server, with "Content-Length" headers: clangd as a child, on its
standard streams; and on a socket that socat makes for it, since these streams
have no endpoint that a relay could be put in front of.

usage: test_clangd.py INTEROP_PEER COMPANION
"""

import json
import sys

sys.dont_write_bytecode = True  # the source folder stays clean
import interop  # noqa: E402
from interop import Program, conversation, fresh, needs, peer, test  # noqa: E402

# Three errors, and more text than one read takes.
SOURCE = "int main(void) { return \"é\" + missing; }\n" + "/* filler */\n" * 7000


def say(method, params=None, number=None):
    text = {"jsonrpc": "2.0", "method": method}
    if params is not None:
        text["params"] = params
    if number is not None:
        text["id"] = number
    return "say=" + json.dumps(text)


STEPS = [
    say("initialize", {"processId": None, "rootUri": None, "capabilities": {}}, 1),
    "hear=\"id\":1,",
    say("initialized", {}),
    say("textDocument/didOpen", {"textDocument": {
        "uri": f"file://{interop.WORK}/main.c", "languageId": "c", "version": 1,
        "text": SOURCE}}),
    "hear=textDocument/publishDiagnostics",
    say("shutdown", None, 2),
    "hear=\"id\":2,",
    say("exit"),
]


def check(output):
    said = [json.loads(line) for line in output.splitlines()
            if line.startswith("{")]
    assert said[0]["id"] == 1 and "capabilities" in said[0]["result"]
    told = [one["params"]["diagnostics"] for one in said
            if one.get("method") == "textDocument/publishDiagnostics"]
    assert "missing" in told[0][0]["message"], told
    assert said[-1]["id"] == 2 and said[-1]["result"] is None, said[-1]


@test
def test_clangd_as_a_child():
    needs("clangd")
    with peer("spawn", "content-length", "clangd", *STEPS) as ours:
        output = ours.fine()
        check(output)
        assert output.endswith("exit 0, signal 0\n"), output[-100:]


@conversation
def clangd_behind_a_socket(way):
    needs("clangd", "socat")
    where = fresh()
    with Program("socat", "-d", "-d", f"UNIX-LISTEN:{where}", "EXEC:clangd") as socat:
        socat.wait_for("listening on")
        with way.to(where) as front:
            with peer("join", "content-length", front, *STEPS) as ours:
                check(ours.fine())


interop.run()
