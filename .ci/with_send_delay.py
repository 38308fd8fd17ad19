#!/usr/bin/env python3
"""Becomes the server, with a `send_delay` in the `rtmp` block of its configuration.

    with_send_delay.py DELAY SERVER-BINARY [ARGUMENT ...] -c CONF [ARGUMENT ...]

The process is the server's own, so signals reach it. A configuration that says `send_delay` itself is left alone; what
is written over it later, for a reload, is used as it is.
"""
import os
import re
import sys


def main():
    delay, server, args = sys.argv[1], sys.argv[2], sys.argv[3:]
    conf = args[args.index("-c") + 1]
    with open(conf, "rb") as old:
        text = old.read()
    if b"send_delay" not in text:
        with open(conf, "wb") as new:
            new.write(re.sub(rb"(?m)^(\s*rtmp\s*\{)", rb"\1 send_delay " + delay.encode() + rb";", text, count=1))
    os.execv(server, [server] + args)


if __name__ == "__main__":
    main()
