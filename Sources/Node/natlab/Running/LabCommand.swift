import ArgumentParser
import DIGNATLab
import Foundation

/// A command whose failures become one line and an exit code, and that a signal ends in order.
protocol LabCommand: AsyncParsableCommand, Sendable {
    var json: Bool { get }
    func execute(_ output: Output) async throws
}

extension LabCommand {
    var json: Bool { false }

    func run() async throws {
        let output = Output(isJSON: self.json)
        let (signal, result) = await Interruption.run(
            { try await self.execute(output) },
            onFirst: { output.progress("taking the lab down (again to leave at once; natlab down --all cleans up then)") },
            onSecond: { output.interrupted(ExitStatus(signal: $0), "left at once; natlab down --all cleans up") })
        switch (result, signal) {
        case (.success, _): return
        case (.failure(let error), let signal?) where !(error is ExitCode):
            // Whatever it broke off with, the signal was the reason.
            let status = ExitStatus(signal: signal)
            output.interrupted(status, "interrupted")
            throw ExitCode(status.rawValue)
        case (.failure(let error as LabError), _):
            let status = ExitStatus(error)
            output.failure(error.message, status: status)
            throw ExitCode(status.rawValue)
        case (.failure(let error), _): throw error
        }
    }
}
