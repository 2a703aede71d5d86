/// Where files belong (XDG Base Directory Specification 0.8).
public struct StandardPaths: Hashable, Sendable {
    /// Names another configuration file, as `--config` does.
    public static let configurationVariable = Setting.environmentPrefix + "CONFIG"

    public let home: String?
    /// `$XDG_STATE_HOME/dig-nat`, or `~/.local/state/dig-nat`.
    public let stateDirectory: String?
    /// `$XDG_CONFIG_HOME/dig-nat/config.toml`, or `~/.config/dig-nat/config.toml`.
    public let configurationFile: String?

    public init(environment: [String: String]) {
        // "All paths set in these environment variables must be absolute. If an implementation encounters a relative path […] it
        // should consider the path invalid and ignore it."
        func absolute(_ variable: String) -> String? {
            environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil }
        }
        let home = absolute("HOME")
        self.home = home
        self.stateDirectory = (absolute("XDG_STATE_HOME") ?? home.map { $0 + "/.local/state" }).map { $0 + "/dig-nat" }
        self.configurationFile = (absolute("XDG_CONFIG_HOME") ?? home.map { $0 + "/.config" }).map { $0 + "/dig-nat/config.toml" }
    }
}
