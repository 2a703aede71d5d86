#if os(Linux)
/// A host of a running lab: where it is, and how to run things on it.
public struct LabHost: Sendable {
    public var address: HostAddress
    let lab: Lab

    public var name: String { self.address.name }
    /// As the host itself sees it.
    public var ipv4: String { self.address.ipv4 }
    public var ipv6: String? { self.address.ipv6 }

    /// Its home folder, which is also `HOME` for what runs on it: every host has an identity of its own. Gone with the lab.
    public var folder: String { self.lab.homeFolder(of: self.name) }

    /// Starts a program. Its first word is looked up beside `natlab` and in `PATH`.
    ///
    /// - Parameter environment: Added to, or in place of, this process's own.
    /// - Throws: ``LabError``.
    public func start(_ command: [String], environment: [String: String] = [:]) async throws(LabError) -> LabProcess {
        try await self.lab.start(command, on: self.name, environment: environment)
    }

    /// Runs a program to its end, which is the program's death if the time is over or the task is cancelled.
    ///
    /// - Throws: ``LabError`` with `.timedOut`; `CancellationError`.
    public func run(_ command: [String], environment: [String: String] = [:], timeout: Duration = .seconds(60)) async throws -> LabOutput {
        let process = try await self.start(command, environment: environment)
        do {
            return try await process.wait(timeout: timeout)
        } catch {
            await process.terminate(grace: .seconds(1))
            throw error
        }
    }

    /// Records the packets at the host's interface into a pcap file until the process is terminated.
    ///
    /// - Parameter filter: As for `tcpdump`; empty for everything.
    /// - Returns: Once packets are being recorded.
    public func capture(to path: String, filter: String = "") async throws -> LabProcess {
        try await self.lab.capture(on: self.name, interface: "eth0", to: path, filter: filter)
    }
}
#endif
