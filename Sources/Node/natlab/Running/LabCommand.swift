import ArgumentParser
import DIGNATLab
import Dispatch
import Foundation

/// A command whose failures become one line and an exit code, and that Ctrl-C ends in order.
protocol LabCommand: AsyncParsableCommand, Sendable {
    var json: Bool { get }
    func execute(_ output: Output) async throws
}

extension LabCommand {
    var json: Bool { false }

    func run() async throws {
        let output = Output(isJSON: self.json)
        let work = Task { try await self.execute(output) }
        // The first signal cancels: whoever built a lab takes it down. The second means it.
        let numbers: [Int32] = [SIGINT, SIGTERM, SIGHUP]
        let sources = numbers.map { number -> any DispatchSourceSignal in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                if work.isCancelled { Foundation.exit(ExitStatus.interrupted.rawValue) }
                output.progress("taking the lab down (again to leave at once; natlab down --all cleans up then)")
                work.cancel()
            }
            source.resume()
            return source
        }
        defer { for source in sources { source.cancel() } }
        do {
            try await work.value
        } catch let error as LabError {
            let status = ExitStatus(error)
            output.failure(error.message, status: status)
            throw ExitCode(status.rawValue)
        } catch is CancellationError {
            throw ExitCode(ExitStatus.interrupted.rawValue)
        }
    }
}
