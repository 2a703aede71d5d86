import ArgumentParser
import DIGCommandLine
import Foundation
import Logging

/// A command with the global options: configuration, output, signals and exit status are the same for all.
protocol DigNatCommand: AsyncParsableCommand, Sendable {
    var global: GlobalOptions { get }
    /// The settings among the flags.
    var settings: [Setting: String] { get }
    /// What takes the place of the library's defaults.
    var defaults: [Setting: SettingValue] { get }
    /// Standard output is for a file.
    var writesFileToStandardOutput: Bool { get }
    /// What to do after Ctrl-C. Nil: what holds for most.
    var adviceAfterInterruption: String? { get }
    func execute(_ context: CommandContext) async throws
}

extension DigNatCommand {
    var settings: [Setting: String] { self.global.settings }
    var defaults: [Setting: SettingValue] { [:] }
    var writesFileToStandardOutput: Bool { false }
    var adviceAfterInterruption: String? { nil }

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let console = Console(
            isJSON: self.global.json, isQuiet: self.global.quiet, logs: self.global.verbose > 0,
            fileOnStandardOutput: self.writesFileToStandardOutput, environment: environment)
        let level = ConsoleLogHandler.level(verbosity: self.global.verbose)
        let logger = Logger(label: "dig-nat") { _ in ConsoleLogHandler(console: console, level: level) }

        let (signal, result) = await Interruption.run {
            let configuration = try CommandContext.configuration(flags: self.settings, path: self.global.config, environment: environment, defaults: self.defaults)
            for warning in configuration.warnings { console.warning(warning) }
            try await self.execute(CommandContext(configuration: configuration, console: console, logger: logger))
        }
        do {
            try result.get()
        } catch {
            var failure = FailureDescription.failure(for: error)
            if let signal {
                failure = FailureDescription.interruption(by: signal)
                failure.next = self.adviceAfterInterruption ?? failure.next
            }
            console.failure(failure)
            throw ExitCode(failure.status.rawValue)
        }
    }
}
