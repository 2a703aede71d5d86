import ArgumentParser
import DIGCommandLine

/// What every command understands.
struct GlobalOptions: ParsableArguments {
    @Flag(help: "Print one JSON object per line, each with an \"event\".")
    var json = false

    @Flag(name: .shortAndLong, help: "Print results and errors only.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Log to standard error; -vv and -vvv log more.")
    var verbose: Int

    @Option(help: ArgumentHelp("The configuration file.", valueName: "path"), completion: .file(extensions: ["toml"]))
    var config: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.dataDirectory.explanation).", valueName: "path"), completion: .directory)
    var dataDir: String?

    @Option(help: ArgumentHelp("Setting: \(Setting.keyFile.explanation).", valueName: "path"), completion: .file())
    var keyFile: String?

    /// The settings among the flags.
    var settings: [Setting: String] {
        var settings: [Setting: String] = [:]
        settings[.dataDirectory] = self.dataDir
        settings[.keyFile] = self.keyFile
        return settings
    }
}
