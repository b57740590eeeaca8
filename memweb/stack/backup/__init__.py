"""Backups: a folder with the rows, the documents and the keys, made while memweb runs, and put back into an empty home.

`making` and `restoring` are the two ways, `kept` the ones that memweb makes by itself; `manifest` says what a backup
holds, `database` is how the rows go out and in.
"""
