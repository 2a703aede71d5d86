import ArgumentParser
import DIGCommandLine
import Foundation

struct ConfigurationCommand: DigNatCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Prints every setting with its value and where that comes from.",
        discussion: """
            Ends with exit code 78 and the place of the mistake if the file or an environment variable is wrong.

            SETTINGS
            \(Setting.allCases.map { "  \($0.key)  (\($0.environmentVariable))\n      \($0.explanation)" }.joined(separator: "\n"))

            EXAMPLES
              dig-nat config
              DIG_NAT_UPLOAD_RATE=1MiB dig-nat config --json
            """)

    @Option(help: ArgumentHelp("Setting: \(Setting.downloadDirectory.explanation).", valueName: "path"), completion: .directory)
    var downloadDir: String?

    @OptionGroup(title: "Network")
    var network: NetworkOptions

    @OptionGroup(title: "Common")
    var global: GlobalOptions

    var settings: [Setting: String] {
        var settings = self.global.settings.merging(self.network.settings) { $1 }
        settings[.downloadDirectory] = self.downloadDir
        return settings
    }

    func execute(_ context: CommandContext) async throws {
        // Addresses are parsed here, too, so that this command finds every mistake.
        _ = try context.nodeConfiguration()
        for (line, event) in zip(context.configuration.lines, context.configuration.events) { context.console.result(line, event: event) }
    }
}
