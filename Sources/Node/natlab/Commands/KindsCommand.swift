import ArgumentParser
import DIGCommandLine
import DIGNATLab

struct KindsCommand: LabCommand {
    static let configuration = CommandConfiguration(commandName: "kinds", abstract: "The kinds of NAT there are.")

    @Flag(help: "One JSON object a line.") var json = false

    func execute(_ output: Output) async throws {
        for kind in NATKind.allCases {
            if self.json {
                output.event(["event": "kind", "nat": .string(kind.rawValue), "short": .string(kind.shortName), "explanation": .string(kind.explanation)])
            } else {
                output.result("\(TerminalText.padded(kind.rawValue, to: 20)) \(TerminalText.padded(kind.shortName, to: 6)) \(kind.explanation)")
            }
        }
    }
}
