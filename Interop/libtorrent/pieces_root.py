"""Prints the BitTorrent v2 pieces root of each file named, one hexadecimal line each, as libtorrent computes it."""
import os, sys
import libtorrent as lt


def pieces_root(path):
    entries = lt.list_files(path)
    torrent = lt.create_torrent(entries, flags=lt.create_torrent.v2_only)
    lt.set_piece_hashes(torrent, os.path.dirname(os.path.abspath(path)))
    tree = torrent.generate()[b"info"][b"file tree"]
    return tree[os.path.basename(path).encode()][b""][b"pieces root"].hex()


for name in sys.argv[1:]:
    print(pieces_root(name), flush=True)
