#if os(Linux)
import Foundation

/// Carries out a scenario's steps in a lab.
public struct ScenarioRunner: Sendable {
    private let scenario: ScenarioFile
    /// `${scenario}`: where the file's own files are.
    private let folder: String

    public init(_ scenario: ScenarioFile, folder: String) {
        self.scenario = scenario
        self.folder = folder
    }

    /// Runs the steps in order and stops after the first that is not as it should be; ends what still runs then.
    ///
    /// - Throws: ``LabError`` for what is wrong with the scenario itself; `CancellationError`.
    public func run(in lab: Lab, onOutcome: @Sendable (StepOutcome) -> Void) async throws -> [StepOutcome] {
        var variables = ScenarioVariables(["scenario": self.folder, "lab": lab.id])
        for host in await lab.hosts {
            variables.set("\(host.name).ip", to: host.ipv4)
            if let ipv6 = host.ipv6 { variables.set("\(host.name).ip6", to: ipv6) }
            variables.set("\(host.name).dir", to: lab.homeFolder(of: host.name))
        }
        var background: [(name: String?, process: LabProcess)] = []
        var outcomes: [StepOutcome] = []
        do {
            for (index, step) in self.scenario.steps.enumerated() {
                for home in self.scenario.plan.homes { variables.set("\(home.name).external", to: try await lab.externalAddress(of: home.name)) }
                let start = ContinuousClock.now
                var outcome = StepOutcome(number: index + 1, name: step.name, text: step.text, failure: nil, duration: .zero, output: nil)
                do {
                    try await self.perform(step, in: lab, &variables, &background, &outcome)
                } catch let error as LabError where error.code == .timedOut || error.code == .commandFailed {
                    outcome.failure = error.message
                } catch let error as LabError {
                    throw LabError(error.code, "step \(index + 1): \(error.message)")
                }
                outcome.duration = .now - start
                outcomes.append(outcome)
                onOutcome(outcome)
                if !outcome.isSuccess { break }
            }
        } catch {
            for (_, process) in background { await process.terminate(grace: .seconds(2)) }
            throw error
        }
        for (_, process) in background { await process.terminate() }
        return outcomes
    }

    private func perform(
        _ step: ScenarioStep, in lab: Lab, _ variables: inout ScenarioVariables, _ background: inout [(name: String?, process: LabProcess)],
        _ outcome: inout StepOutcome
    ) async throws {
        switch step.action {
        case .run(let run):
            var command: [String] = []
            for word in run.command { command.append(try variables.expand(word)) }
            var run = run
            run.waitFor = try run.waitFor.map { text throws(LabError) in try variables.expand(text, asPattern: true) }
            run.expects = try run.expects.map { text throws(LabError) in try variables.expand(text, asPattern: true) }
            for (name, pattern) in run.saves { run.saves[name] = try variables.expand(pattern, asPattern: true) }
            outcome.text = "\(run.host): \(command.joined(separator: " "))" + (run.isBackground ? " &" : "")
            if run.isBackground {
                let process = try await lab.host(run.host).start(command)
                background.append((step.name, process))
                if let pattern = run.waitFor {
                    _ = try await process.line(timeout: run.timeout) { Self.match(pattern, in: $0.text) != nil }
                }
                self.save(run, process.lines, &variables, &outcome)
                return
            }
            let output = try await lab.host(run.host).run(command, timeout: run.timeout)
            outcome.output = output
            if output.exit != .code(run.exit) {
                outcome.failure = "\(output.exit) instead of exit code \(run.exit)"
            } else if let pattern = run.expects, !output.lines.contains(where: { Self.match(pattern, in: $0.text) != nil }) {
                outcome.failure = "no line matches \(pattern)"
            }
            self.save(run, output.lines, &variables, &outcome)
        case .end(let name):
            guard let index = background.firstIndex(where: { $0.name == name }) else {
                throw LabError(.invalidScenario, "no background step is named \"\(name)\"")
            }
            outcome.output = await background.remove(at: index).process.terminate()
        case .reboot(let home): try await lab.reboot(home)
        case .link(let name, let up): try await lab.setLink(of: name, up: up)
        case .capture(let host, let file, let filter):
            background.append((step.name, try await lab.host(host).capture(to: try variables.expand(file), filter: try variables.expand(filter))))
        case .pause(let duration): try await Task.sleep(for: duration)
        case .verify:
            let wrong = try await lab.verify().filter { !$0.isAsNamed }
            if !wrong.isEmpty { outcome.failure = wrong.map { "\($0.home): \($0.differences.joined(separator: ", "))" }.joined(separator: "; ") }
        }
    }

    private func save(_ run: ScenarioStep.Run, _ lines: [LabLine], _ variables: inout ScenarioVariables, _ outcome: inout StepOutcome) {
        for (name, pattern) in run.saves.sorted(by: { $0.key < $1.key }) {
            guard let value = lines.lazy.compactMap({ Self.match(pattern, in: $0.text) }).first else {
                outcome.failure = outcome.failure ?? "nothing to save as \(name): no line matches \(pattern)"
                continue
            }
            variables.set(name, to: value)
        }
    }

    /// - Returns: The first group, or the whole match. Patterns were checked when the file was read.
    static func match(_ pattern: String, in text: String) -> String? {
        guard let regex = try? Regex(pattern), let match = try? regex.firstMatch(in: text) else { return nil }
        if match.output.count > 1, let group = match.output[1].substring { return String(group) }
        return String(text[match.range])
    }
}
#endif
