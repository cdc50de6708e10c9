#!/usr/bin/python3
"""What lies in a data directory's values/: a line for each file, with its path, its bytes' digest and what is recorded of it.

usage: tree.py DATA-DIRECTORY
"""
import hashlib
import os
import sys


def lines(root):
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            try:
                with open(path, "rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                    yield "%s %s %s" % (os.path.relpath(path, root), digest, os.getxattr(file.fileno(), "user.kvnode").hex())
            except FileNotFoundError:
                pass
            except OSError as error:
                # A mark in the place of a damaged value has nothing recorded of it.
                yield "%s %s" % (os.path.relpath(path, root), error.strerror)


print("\n".join(sorted(lines(os.path.join(sys.argv[1], "values")))))
