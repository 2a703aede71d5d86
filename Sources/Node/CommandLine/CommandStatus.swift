/// How a `dig-nat` command ends, as the shell sees it.
///
/// The numbers are part of the command's interface: scripts rely on them.
public enum CommandStatus: Int32, CaseIterable, Hashable, Sendable {
    case success = 0
    case failure = 1
    case notFound = 3
    case verificationFailed = 4
    case disk = 5
    case refused = 6
    case unreachable = 7
    case usage = 64
    case configuration = 78
    case interrupted = 130
    case terminated = 143

    /// One line for the table in `--help` and the manual.
    public var explanation: String {
        switch self {
        case .success: "done"
        case .failure: "failed for a reason with no number of its own"
        case .notFound: "no such content, or nobody who holds it was found"
        case .verificationFailed: "the bytes are not those that the link or hash names"
        case .disk: "a local file or the data directory could not be read or written"
        case .refused: "the other side said no"
        case .unreachable: "holders, or first contacts, are known, but none could be reached"
        case .usage: "the command line was not understood"
        case .configuration: "the configuration file or an environment variable is wrong"
        case .interrupted: "ended by Ctrl-C (SIGINT); what was got is kept"
        case .terminated: "ended by SIGTERM; what was got is kept"
        }
    }

    /// The name used in JSON events; as stable as the number.
    public var name: String {
        switch self {
        case .success: "success"
        case .failure: "failure"
        case .notFound: "not-found"
        case .verificationFailed: "verification-failed"
        case .disk: "disk"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .usage: "usage"
        case .configuration: "configuration"
        case .interrupted: "interrupted"
        case .terminated: "terminated"
        }
    }

    /// The table shown by `dig-nat --help`.
    public static var table: String {
        self.allCases.map { status in
            let number = String(status.rawValue)
            return String(repeating: " ", count: 5 - number.count) + number + "  " + status.explanation
        }.joined(separator: "\n")
    }
}
