"""One BitTorrent process. Runs in the Python environment that has libtorrent.

make VERSION SOURCE TORRENT     writes a torrent file
seed TORRENT DIRECTORY          serves until it is ended; prints its port
leech TORRENT DIRECTORY PORT    fetches from the seed at 127.0.0.1:PORT
"""
import json, os, resource, sys, time
import libtorrent as lt


class Stopwatch:
    def __init__(self):
        self.began, self.cpu = time.monotonic(), self.cpu_seconds()

    @staticmethod
    def cpu_seconds():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def say(self, idle=0.0):
        seconds = time.monotonic() - self.began - idle
        print(json.dumps({"seconds": seconds, "idle": idle, "cpu": self.cpu_seconds() - self.cpu}), flush=True)


def session():
    # Everything else is as libtorrent has it by default.
    return lt.session({
        "listen_interfaces": "127.0.0.1:0",
        "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
        "enable_outgoing_utp": False, "enable_incoming_utp": False,
        "in_enc_policy": int(lt.enc_policy.disabled), "out_enc_policy": int(lt.enc_policy.disabled),
        "alert_mask": lt.alert.category_t.status_notification | lt.alert.category_t.error_notification
        | lt.alert.category_t.connect_notification,
    })


def add(session, torrent, directory, flags=None):
    parameters = lt.load_torrent_file(torrent)
    parameters.save_path = directory
    if flags is not None:
        parameters.flags |= flags
    # Otherwise it waits for the queue's turn, up to half a minute.
    parameters.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    return session.add_torrent(parameters)


def make(version, source, torrent):
    watch = Stopwatch()
    flags = {"v1": lt.create_torrent.v1_only, "v2": lt.create_torrent.v2_only}[version]
    description = lt.create_torrent(lt.list_files(source), flags=flags)
    lt.set_piece_hashes(description, os.path.dirname(source))
    content = lt.bencode(description.generate())
    watch.say()
    with open(torrent, "wb") as file:
        file.write(content)


def seed(torrent, directory):
    node = session()
    add(node, torrent, directory, lt.torrent_flags.seed_mode | lt.torrent_flags.upload_mode)
    while not node.listen_port():
        time.sleep(0.01)
    print(json.dumps({"port": node.listen_port()}), flush=True)
    while True:
        time.sleep(3600)


def leech(torrent, directory, port):
    node = session()
    watch, idle = Stopwatch(), 0.0
    handle = add(node, torrent, directory)
    handle.connect_peer(("127.0.0.1", int(port)))
    while True:
        node.wait_for_alert(1000)
        for alert in node.pop_alerts():
            if isinstance(alert, lt.peer_connect_alert) and not idle:
                idle = time.monotonic() - watch.began  # it dials on a timer, half a second apart
            elif isinstance(alert, lt.torrent_finished_alert):
                watch.say(idle)
                node.remove_torrent(handle)  # flushes what is not written yet
                return
            elif isinstance(alert, (lt.torrent_error_alert, lt.file_error_alert)):
                sys.exit(alert.message())


if __name__ == "__main__":
    {"make": make, "seed": seed, "leech": leech}[sys.argv[1]](*sys.argv[2:])
