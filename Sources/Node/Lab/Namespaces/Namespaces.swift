#if os(Linux)
import Foundation
import Glibc

/// The named network namespaces of this machine, and what runs in them.
enum Namespaces {
    static let folder = "/run/netns"

    /// Names that belong to labs.
    static var all: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: self.folder)) ?? []).filter { LabRecord.id(ofNamespace: $0) != nil }.sorted()
    }

    /// Every process in one of them, other than our own.
    static func processes(in names: [String]) -> [pid_t] {
        let wanted = Set(names.compactMap { self.identity(of: "\(self.folder)/\($0)") })
        guard !wanted.isEmpty else { return [] }
        let own = getpid()
        return ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { entry in
            guard let pid = pid_t(entry), pid != own, let identity = self.identity(of: "/proc/\(pid)/ns/net"), wanted.contains(identity) else { return nil }
            return pid
        }
    }

    /// Ends everything in the lab's namespaces, deletes them, and forgets the lab. Blocks; safe to repeat.
    static func tearDown(_ id: String, store: LabStore) {
        let names = self.all.filter { LabRecord.id(ofNamespace: $0) == id }
        self.end(in: names)
        for name in names {
            _ = try? Tool.run([Tool.ip.rawValue, "netns", "delete", name], what: "deleting \(name)")
        }
        store.remove(id)
    }

    private static func end(in names: [String]) {
        // Wanted dead by name of the namespace, never by a recorded number: numbers are given away again.
        for (signal, patience) in [(SIGTERM, 100), (SIGKILL, 200)] {
            let pids = self.processes(in: names)
            if pids.isEmpty { return }
            for pid in pids { kill(pid, signal) }
            for _ in 0..<patience {
                if self.processes(in: names).isEmpty { return }
                usleep(10_000)
            }
        }
    }

    private struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private static func identity(of path: String) -> Identity? {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        return Identity(device: UInt64(information.st_dev), inode: UInt64(information.st_ino))
    }
}
#endif
