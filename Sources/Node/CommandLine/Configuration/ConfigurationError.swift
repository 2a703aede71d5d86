/// A configuration that can't be used. Nothing is guessed and nothing ignored.
public enum ConfigurationError: Error, Hashable, Sendable, CustomStringConvertible {
    case unreadable(path: String, reason: String)
    case malformed(path: String, line: Int, column: Int, reason: String)
    case unknownKey(path: String, line: Int?, key: String, suggestion: String?)
    case invalidValue(origin: SettingOrigin, setting: Setting, expected: String, found: String)
    /// Neither a variable nor a flag says where the home directory is.
    case noHome(needed: Setting)

    public var description: String {
        switch self {
        case .unreadable(let path, let reason): "\(path): \(reason)"
        case .malformed(let path, let line, let column, let reason): "\(path):\(line):\(column): \(reason)"
        case .unknownKey(let path, let line, let key, _): "\(path)\(line.map { ":\($0)" } ?? ""): there is no setting \"\(key)\""
        case .invalidValue(let origin, let setting, let expected, let found):
            // The flag says itself which setting it is.
            if case .flag = origin { "\(origin): must be \(expected), not \(found)" } else { "\(origin): \(setting.key) must be \(expected), not \(found)" }
        case .noHome(let setting): "no value for \(setting.key): the environment has neither HOME nor an XDG directory"
        }
    }

    /// With what to do about it.
    public var failure: CommandFailure {
        let next =
            switch self {
            case .unreadable: "check the path and its permissions, or leave --config out"
            case .malformed: "the file is TOML: strings need quotes, lists need brackets"
            case .unknownKey(_, _, _, let suggestion?): "did you mean \"\(suggestion)\"? All settings: dig-nat config"
            case .unknownKey: "take the line out; all settings: dig-nat config"
            case .invalidValue(.flag(let flag), _, _, _): "see the help text of \(flag)"
            case .invalidValue: "correct it; all settings: dig-nat config"
            case .noHome(let setting): "give \(setting.flag), or set HOME"
            }
        var status = CommandStatus.configuration
        if case .invalidValue(.flag, _, _, _) = self { status = .usage }
        return CommandFailure(status, self.description, next: next)
    }
}
