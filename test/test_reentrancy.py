"""Every function that the header declares is called in the table of
test_reentrancy.c, or the library's own, so that one that is added there is added
here.

usage: test_reentrancy.py HEADER SOURCE...
"""

import os
import re
import sys


def code_of(path):
    """Without comments and what the preprocessor takes."""
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.DOTALL)
    return re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)


def declared(header):
    macro = os.path.basename(header).removesuffix(".h").upper() + "_EXTERN"
    code = code_of(header)
    found = re.findall(rf"\b{macro}\s[^;({{]*?\b(\w+)\s*\(", code)
    if len(found) != code.count(macro):
        sys.exit("not every declaration was understood")
    return set(found)


def called(source):
    """What stands in CALL, RUN, SET, ONLY and REPORT, whose functions the
    compiler has seen to be used."""
    wrapper = r"\b(?:CALL|RUN|SET|ONLY|REPORT)\("
    return set(
        re.findall(wrapper + r"[^;]*?\b(ipc_\w+)\(", code_of(source))
    )


def main():
    header, *sources = sys.argv[1:]
    wanted = declared(header)
    missing = sorted(wanted - set().union(*map(called, sources)))
    for name in missing:
        print(f"not in the table: {name}")
    if not missing:
        print(f"all {len(wanted)} functions are in the table")
    sys.exit(1 if missing else 0)


main()
