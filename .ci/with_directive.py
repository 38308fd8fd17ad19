#!/usr/bin/env python3
"""Becomes the server, with a directive more in a block of its configuration.

    with_directive.py BLOCK DIRECTIVE SERVER-BINARY [ARGUMENT ...] -c CONF [ARGUMENT ...]

DIRECTIVE is without the semicolon, its spaces may be written as commas. The process is the server's own, so signals
reach it. A configuration that has the directive itself is left alone; what is written over it later, for a reload, is
used as it is.
"""
import os
import re
import sys


def main():
    block, directive, server, args = sys.argv[1], sys.argv[2].replace(",", " "), sys.argv[3], sys.argv[4:]
    conf = args[args.index("-c") + 1]
    with open(conf, "rb") as old:
        text = old.read()
    if directive.split()[0].encode() + b" " not in text:
        begins = re.compile(rb"(?m)^(\s*" + block.encode() + rb"\s*\{)")
        with open(conf, "wb") as new:
            new.write(begins.sub(rb"\1 " + directive.encode() + rb";", text, count=1))
    os.execv(server, [server] + args)


if __name__ == "__main__":
    main()
