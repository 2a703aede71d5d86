#if os(Linux)
import Foundation
import Glibc

/// The programs that a lab stands on.
enum Tool: String, CaseIterable {
    case ip, tc, nft, miniupnpd, tcpdump

    /// The Debian package.
    var package: String {
        switch self {
        case .ip, .tc: "iproute2"
        case .nft: "nftables"
        case .miniupnpd: "miniupnpd-nftables"
        case .tcpdump: "tcpdump"
        }
    }

    /// Where it is: `PATH`, and the administrator's folders that are often missing from it.
    var path: String? {
        Self.searchPath.map { "\($0)/\(self.rawValue)" }.first { access($0, X_OK) == 0 }
    }

    static var searchPath: [String] {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]
    }

    /// - Throws: ``LabError`` with `.missingTool` that names every package missing.
    static func require(_ tools: [Tool]) throws(LabError) {
        let missing = tools.filter { $0.path == nil }
        if !missing.isEmpty { throw self.missing(missing) }
    }

    static func missing(_ tools: [Tool]) -> LabError {
        let packages = Set(tools.map(\.package)).sorted().joined(separator: " ")
        return LabError(.missingTool, "\(tools.map(\.rawValue).joined(separator: ", ")) not found; apt-get install \(packages)")
    }

    /// Whether a program can be run under this name in this search path, as a shell would find it.
    static func isProgram(_ name: String, in searchPath: String) -> Bool {
        let candidates = name.contains("/") ? [name] : searchPath.split(separator: ":").map { "\($0)/\(name)" }
        return candidates.contains { path in
            var information = stat()
            return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
    }

    /// Runs a command of the lab's own to its end, on the calling thread.
    ///
    /// - Throws: ``LabError`` with `.commandFailed` and what it printed.
    @discardableResult
    static func run(_ arguments: [String], what: String) throws(LabError) -> String {
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = Self.searchPath.joined(separator: ":")
        environment["LC_ALL"] = "C"
        let started = try Spawn.start(arguments, environment: environment, output: .pipes)
        let collected = PipeReader.readAll(started.standardOutput, started.standardError)
        Spawn.waitWithoutReaping(started.pid)
        let exit = Spawn.reap(started.pid)
        guard exit.isSuccess else {
            let words = String(decoding: collected.error.isEmpty ? collected.output : collected.error, as: UTF8.self)
                .split(separator: "\n").suffix(4).joined(separator: " | ")
            throw LabError(.commandFailed, "\(what) failed (\(exit)): \(words)")
        }
        return String(decoding: collected.output, as: UTF8.self)
    }
}
#endif
