import Foundation

/// The process that built a lab, named so that a later process with the same number is not taken for it.
public struct LabOwner: Codable, Hashable, Sendable {
    public var pid: Int32
    /// In clock ticks since the machine started (`/proc/PID/stat`, field 22).
    public var startTicks: UInt64
    /// Changes when the machine restarts.
    public var bootID: String

    /// Whether that process still runs.
    public var isAlive: Bool { self.bootID == Self.currentBootID && Self.startTicks(of: self.pid) == self.startTicks }

    static var current: LabOwner {
        let pid = ProcessInfo.processInfo.processIdentifier
        return LabOwner(pid: pid, startTicks: Self.startTicks(of: pid) ?? 0, bootID: Self.currentBootID)
    }

    private static var currentBootID: String {
        ((try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func startTicks(of pid: Int32) -> UInt64? {
        guard let text = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return nil }
        return self.startTicks(inStat: text)
    }

    /// The command name may hold spaces and brackets: fields count from the last closing bracket (proc_pid_stat(5)). A zombie has ended.
    static func startTicks(inStat text: String) -> UInt64? {
        guard let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: end)...].split(separator: " ")
        guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
        return UInt64(fields[19])
    }
}
