"""libtorrent, one seed → one leech, each a process of its own, over TCP without encryption."""
import json, os, subprocess

from measure import Sender, Usage, run

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = os.path.join(os.path.dirname(os.path.dirname(HERE)), "Interop/.venv/bin/python")
NODE = os.path.join(HERE, "bittorrent_node.py")


class BitTorrent:
    encrypted = "–"

    def __init__(self, version):
        self.protocol = version
        self.name = f"bittorrent-{version}"
        self.title = f"libtorrent, BitTorrent {version}"
        self.verified = {"v1": "SHA-1 pieces", "v2": "SHA-256 tree"}[version]

    @staticmethod
    def missing():
        if not os.access(PYTHON, os.X_OK) or subprocess.run([PYTHON, "-c", "import libtorrent"], capture_output=True).returncode:
            return "libtorrent: run `make setup` (installs Interop/requirements.txt)"

    @staticmethod
    def version():
        command = [PYTHON, "-c", "import libtorrent; print('libtorrent', libtorrent.__version__)"]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    def prepare(self, source, directory):
        self.directory = directory
        self.time_to_share(source, directory)

    def time_to_share(self, source, work):
        """Makes the torrent; the time is that of hashing, without the start of the interpreter."""
        self.torrent = os.path.join(self.directory, self.protocol + ".torrent")
        return self.timed(run([PYTHON, NODE, "make", self.protocol, source, self.torrent], work))

    def start(self, source):
        sender = Sender([PYTHON, NODE, "seed", self.torrent, os.path.dirname(source)], os.path.join(self.directory, "seed.log"))
        self.port = json.loads(sender.line())["port"]
        return sender

    def receive(self, output, work):
        """From dialing to `finished`: connecting, receiving, checking. Usage.idle: what it waited before it dialed."""
        return self.timed(run([PYTHON, NODE, "leech", self.torrent, os.path.dirname(output), str(self.port)], work))

    @staticmethod
    def timed(result):
        usage, text = result
        own = json.loads(text)
        return Usage(own["seconds"], own["cpu"], usage.peak, own["idle"])
