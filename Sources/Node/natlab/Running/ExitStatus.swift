import DIGNATLab
import Foundation

/// How a `natlab` command ends, as the shell sees it. Part of its interface.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    case failure = 1
    case notAsExpected = 2
    case usage = 64
    case missingTool = 69
    case needsRoot = 77
    case invalidFile = 78
    case programNotFound = 127
    case hungUp = 129
    case interrupted = 130
    case terminated = 143

    var explanation: String {
        switch self {
        case .success: "done, and everything as expected"
        case .failure: "failed for a reason with no number of its own"
        case .notAsExpected: "it ran, but a NAT, a pair or a step was not as expected"
        case .usage: "the command line was not understood, or names what is not there"
        case .missingTool: "a program the lab stands on is not installed, or this is no Linux"
        case .needsRoot: "not run as root"
        case .invalidFile: "the scenario file can't be read, or says what can't be"
        case .programNotFound: "exec, shell: there is no such program"
        case .hungUp: "ended because its terminal was closed; the lab was taken down"
        case .interrupted: "ended by Ctrl-C (SIGINT); the lab was taken down"
        case .terminated: "ended by SIGTERM; the lab was taken down"
        }
    }

    /// The name used in JSON events; as stable as the number.
    var name: String {
        switch self {
        case .success: "success"
        case .failure: "failure"
        case .notAsExpected: "not-as-expected"
        case .usage: "usage"
        case .missingTool: "missing-tool"
        case .needsRoot: "needs-root"
        case .invalidFile: "invalid-file"
        case .programNotFound: "program-not-found"
        case .hungUp: "hung-up"
        case .interrupted: "interrupted"
        case .terminated: "terminated"
        }
    }

    static var table: String {
        self.allCases.map { status in
            let number = String(status.rawValue)
            return String(repeating: " ", count: 5 - number.count) + number + "  " + status.explanation
        }.joined(separator: "\n")
    }

    init(_ error: LabError) {
        switch error.code {
        case .needsRoot: self = .needsRoot
        case .missingTool, .unsupported: self = .missingTool
        case .invalidPlan, .invalidScenario: self = .invalidFile
        case .unknownName: self = .usage
        case .programNotFound: self = .programNotFound
        default: self = .failure
        }
    }

    /// Ended by a signal: 128 and its number.
    init(signal: Int32) { self = ExitStatus(rawValue: 128 + signal) ?? .interrupted }
}
