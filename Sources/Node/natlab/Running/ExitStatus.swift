import DIGNATLab

/// How a `natlab` command ends, as the shell sees it. Part of its interface.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    case failure = 1
    case notAsExpected = 2
    case usage = 64
    case missingTool = 69
    case needsRoot = 77
    case invalidFile = 78
    case interrupted = 130

    var explanation: String {
        switch self {
        case .success: "done, and everything as expected"
        case .failure: "failed for a reason with no number of its own"
        case .notAsExpected: "it ran, but a NAT, a pair or a step was not as expected"
        case .usage: "the command line was not understood"
        case .missingTool: "a program the lab stands on is not installed, or this is no Linux"
        case .needsRoot: "not run as root"
        case .invalidFile: "the scenario file can't be read or describes no lab"
        case .interrupted: "ended by Ctrl-C; the lab was taken down"
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
        default: self = .failure
        }
    }
}
