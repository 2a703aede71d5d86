/// Where a value comes from.
public enum SettingOrigin: Hashable, Sendable, CustomStringConvertible {
    case standard
    case file(path: String, line: Int?)
    case environment(variable: String)
    case flag(String)

    public var description: String {
        switch self {
        case .standard: "default"
        case .file(let path, let line): path + (line.map { ":\($0)" } ?? "")
        case .environment(let variable): "environment \(variable)"
        case .flag(let flag): flag
        }
    }

    /// The name used in JSON.
    public var name: String {
        switch self {
        case .standard: "default"
        case .file: "file"
        case .environment: "environment"
        case .flag: "flag"
        }
    }
}
