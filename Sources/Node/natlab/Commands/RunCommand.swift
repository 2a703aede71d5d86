import ArgumentParser
import DIGCommandLine
import DIGNATLab
import Foundation

struct RunCommand: LabCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Builds the lab of a scenario file, carries out its steps, takes the lab down.",
        discussion: "NATLab/README.md describes the file. The exit code is 2 if a step was not as it should be.")

    @Flag(help: "One JSON object a line, with what each program printed.") var json = false
    @Flag(help: "Show what the programs print.") var verbose = false
    @Argument(help: "A scenario file.", completion: .file(extensions: ["toml"])) var file: String

    func execute(_ output: Output) async throws {
        let scenario = try ScenarioFile.read(self.file)
        guard !scenario.steps.isEmpty else { throw LabError(.invalidScenario, "\(self.file) has no steps; natlab up keeps its lab standing") }
        #if os(Linux)
        let folder = URL(fileURLWithPath: self.file).deletingLastPathComponent().path
        let verbose = self.verbose
        let outcomes = try await Lab.with(scenario.plan, options: LabOptions(title: scenario.title, progress: output.progress)) { lab in
            try await ScenarioRunner(scenario, folder: folder).run(in: lab) { outcome in
                output.event(outcome.json)
                if output.isJSON { return }
                let seconds = String(format: "%6.2f s", outcome.duration / .seconds(1))
                output.result("\(outcome.isSuccess ? "ok  " : "FAIL") \(seconds)  \(outcome.name.map { "\($0): " } ?? "")\(TerminalText.singleLine(outcome.text))")
                if let failure = outcome.failure { output.result("     \(failure)") }
                if verbose || !outcome.isSuccess {
                    for line in outcome.output?.lines.suffix(40) ?? [] { output.result("     \(line.stream.rawValue)| \(TerminalText.singleLine(line.text))") }
                }
            }
        }
        let isDone = outcomes.count == scenario.steps.count && outcomes.allSatisfy(\.isSuccess)
        output.event(["event": "scenario", "title": .string(scenario.title), "ok": .boolean(isDone), "steps": .integer(Int64(outcomes.count))])
        if !output.isJSON { output.result(isDone ? "\(scenario.title): all \(outcomes.count) steps as they should be" : "\(scenario.title): stopped at step \(outcomes.count)") }
        if !isDone { throw ExitCode(ExitStatus.notAsExpected.rawValue) }
        #else
        throw LabError(.unsupported, "natlab needs Linux")
        #endif
    }
}
