import ArgumentParser
import DIGCommandLine
import DIGNATLab

struct VerifyCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks that every NAT behaves as its name says.",
        discussion: """
            Measures mapping and filtering of UDP and TCP from inside each home, with probes of the lab's own (RFC 5780), and \
            compares with what the kind must do. Without a file: one home of every kind. With --lab: a lab that stands.
            """)

    @Flag(help: "One JSON object a line.") var json = false
    @Option(help: "A standing lab.") var lab: String?
    @Argument(help: "A scenario file.", completion: .file(extensions: ["toml"])) var file: String?

    func validate() throws {
        if self.lab != nil, let file = self.file { throw ValidationError("either --lab or a scenario file: \(file)") }
    }

    func execute(_ output: Output) async throws {
        #if os(Linux)
        let options = LabOptions(title: self.file ?? "verify", progress: output.progress)
        let check: @Sendable (Lab) async throws -> Bool = { lab in
            output.progress("measuring")
            let verdicts = try await lab.verify { verdict in
                output.event(verdict.json)
                output.progress("\(verdict.home): \(verdict.isAsNamed ? "ok" : "NOT AS NAMED")")
            }
            let wrong = verdicts.count { !$0.isAsNamed }
            output.event(["event": "verified", "ok": .boolean(wrong == 0), "homes": .integer(Int64(verdicts.count)), "wrong": .integer(Int64(wrong))])
            if !output.isJSON {
                output.result(NATVerdict.table(verdicts))
                output.result(wrong == 0 ? "all \(verdicts.count) as named" : "\(wrong) of \(verdicts.count) NOT as named")
            }
            return wrong == 0
        }
        let isAsNamed: Bool
        if let lab = self.lab {
            isAsNamed = try await check(try await Lab.attach(lab, options: options))
        } else {
            let plan = try self.file.map { try ScenarioFile.read($0).plan } ?? .everyKind
            isAsNamed = try await Lab.with(plan, options: options, check)
        }
        if !isAsNamed { throw ExitCode(ExitStatus.notAsExpected.rawValue) }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}
