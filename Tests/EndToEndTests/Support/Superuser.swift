import Foundation

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// What only root can set up.
enum Superuser {
    static let reason = "needs root, and iproute2 for a network namespace"

    /// Runs a command.
    @discardableResult
    static func run(_ words: String...) -> Bool {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    static let canMount: Bool = {
        guard geteuid() == 0 else { return false }
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-e2e-mount-\(UUID().uuidString.prefix(8))").path
        guard (try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)) != nil else { return false }
        defer { try? FileManager.default.removeItem(atPath: path) }
        guard Self.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", path) else { return false }
        return Self.run("umount", path)
    }()

    static let canMakeNetworkNamespaces: Bool = {
        guard geteuid() == 0 else { return false }
        let name = "dig-e2e-\(UUID().uuidString.prefix(8))"
        guard Self.run("ip", "netns", "add", name) else { return false }
        return Self.run("ip", "netns", "del", name)
    }()
}

/// A file system of a given size in memory.
final class SmallDisk: Sendable {
    let path: String

    init(_ path: String, byteCount: Int) throws {
        self.path = path
        guard Superuser.run("mount", "-t", "tmpfs", "-o", "size=\(byteCount)", "tmpfs", path) else {
            throw DigNatProcess.Failure(description: "no tmpfs could be mounted on \(path)")
        }
    }

    /// Changes how it is mounted: `size=…`, `ro`, `rw`.
    func remount(_ option: String) throws {
        guard Superuser.run("mount", "-o", "remount,\(option)", self.path) else {
            throw DigNatProcess.Failure(description: "\(self.path) could not be mounted with \(option)")
        }
    }

    deinit { Superuser.run("umount", "-l", self.path) }
}

/// A network of the test's own: a loopback interface that nothing else is on.
final class NetworkNamespace: Sendable {
    let name: String
    /// Runs what follows in it.
    var launcher: [String] { ["ip", "netns", "exec", self.name] }

    init() throws {
        self.name = "dig-e2e-\(UUID().uuidString.prefix(8))"
        guard Superuser.run("ip", "netns", "add", self.name), Superuser.run("ip", "-n", self.name, "link", "set", "lo", "up") else {
            throw DigNatProcess.Failure(description: "no network namespace could be made")
        }
    }

    deinit { Superuser.run("ip", "netns", "del", self.name) }
}
