/// Every setting with its value and where that comes from: flags over environment over file over defaults.
public struct EffectiveConfiguration: Hashable, Sendable {
    public struct Entry: Hashable, Sendable {
        public var value: SettingValue
        public var origin: SettingOrigin

        public init(value: SettingValue, origin: SettingOrigin) {
            self.value = value
            self.origin = origin
        }
    }

    private let entries: [Setting: Entry]
    /// Things that are odd but harmless, such as a `DIG_NAT_…` variable that names no setting.
    public let warnings: [String]

    /// - Parameters:
    ///   - flags: What the command line gave, as text.
    ///   - environment: All of it; only `DIG_NAT_…`, `HOME` and `XDG_…` are looked at.
    ///   - file: `nil` if there is none.
    ///   - defaults: For what neither says; paths below the home and state directories are found by ``StandardPaths``.
    public init(
        flags: [Setting: String], environment: [String: String], file: ConfigurationFile?, defaults: [Setting: SettingValue]
    ) throws(ConfigurationError) {
        let paths = StandardPaths(environment: environment)
        var entries: [Setting: Entry] = [:]
        for setting in Setting.allCases {
            let variable = setting.environmentVariable
            if let text = flags[setting] {
                entries[setting] = try Self.entry(text, setting, .flag(setting.flag))
            } else if let text = environment[variable], !(text.isEmpty && setting.kind != .addresses) {
                entries[setting] = try Self.entry(text, setting, .environment(variable: variable))
            } else if let entry = file?.entries[setting] {
                entries[setting] = Entry(value: entry.value, origin: .file(path: file?.path ?? "", line: entry.line))
            } else if let value = defaults[setting] {
                entries[setting] = Entry(value: value, origin: .standard)
            }
            if case .path(let path)? = entries[setting]?.value, path == "~" || path.hasPrefix("~/") {
                guard let home = paths.home else { throw .noHome(needed: setting) }
                entries[setting]?.value = .path(home + path.dropFirst())
            }
        }
        if entries[.dataDirectory] == nil {
            guard let state = paths.stateDirectory else { throw .noHome(needed: .dataDirectory) }
            entries[.dataDirectory] = Entry(value: .path(state), origin: .standard)
        }
        if entries[.keyFile] == nil, case .path(let directory)? = entries[.dataDirectory]?.value {
            entries[.keyFile] = Entry(value: .path(directory + "/identity.key"), origin: .standard)
        }
        self.entries = entries

        let known = Set(Setting.allCases.map(\.environmentVariable) + [StandardPaths.configurationVariable])
        self.warnings = environment.keys.filter { $0.hasPrefix(Setting.environmentPrefix) && !known.contains($0) }.sorted().map { variable in
            let suggestion = Suggestion.closest(to: variable, among: known.sorted()).map { "; did you mean \($0)?" } ?? ""
            return "the environment variable \(variable) means nothing to dig-nat\(suggestion)"
        }
    }

    private static func entry(_ text: String, _ setting: Setting, _ origin: SettingOrigin) throws(ConfigurationError) -> Entry {
        do {
            return Entry(value: try SettingValue(text, for: setting), origin: origin)
        } catch {
            throw .invalidValue(origin: origin, setting: setting, expected: error.expected, found: "\"\(text)\"")
        }
    }

    /// `nil` only if neither the layers nor the defaults have a value.
    public subscript(setting: Setting) -> Entry? { self.entries[setting] }

    public func path(_ setting: Setting) -> String? {
        if case .path(let path)? = self.entries[setting]?.value { path } else { nil }
    }

    public func addresses(_ setting: Setting) -> [String]? {
        if case .addresses(let addresses)? = self.entries[setting]?.value { addresses } else { nil }
    }

    /// `nil` is unlimited.
    public func rate(_ setting: Setting) -> UInt64? {
        if case .rate(let rate)? = self.entries[setting]?.value { rate } else { nil }
    }

    /// `nil` is unlimited.
    public func bytes(_ setting: Setting) -> UInt64? {
        if case .bytes(let count)? = self.entries[setting]?.value { count } else { nil }
    }

    public func flag(_ setting: Setting) -> Bool? {
        if case .flag(let flag)? = self.entries[setting]?.value { flag } else { nil }
    }

    public func count(_ setting: Setting) -> Int? {
        if case .count(let count)? = self.entries[setting]?.value { count } else { nil }
    }

    public func word(_ setting: Setting) -> String? {
        if case .choice(let word)? = self.entries[setting]?.value { word } else { nil }
    }

    public func words(_ setting: Setting) -> [String]? {
        if case .words(let words)? = self.entries[setting]?.value { words } else { nil }
    }

    /// `nil` if there is none.
    public func name(_ setting: Setting) -> String? {
        if case .name(let name)? = self.entries[setting]?.value, !name.isEmpty { name } else { nil }
    }

    /// Whether somebody has set it: it is no default.
    public func isSet(_ setting: Setting) -> Bool { self.entries[setting].map { $0.origin != .standard } ?? false }

    /// The table of `dig-nat config`: setting, value, origin.
    public var lines: [String] {
        let rows = Setting.allCases.compactMap { setting in self.entries[setting].map { (setting.key, TerminalText.singleLine($0.value.text), $0.origin) } }
        let keyWidth = rows.map { TerminalText.width(of: $0.0) }.max() ?? 0
        let valueWidth = min(48, rows.map { TerminalText.width(of: $0.1) }.max() ?? 0)
        return rows.map { key, value, origin in
            "\(TerminalText.padded(key, to: keyWidth))  \(TerminalText.padded(value, to: valueWidth))  (\(TerminalText.singleLine(origin.description)))"
        }
    }

    /// One `setting` event for each.
    public var events: [JSONObject] {
        Setting.allCases.compactMap { setting in
            guard let entry = self.entries[setting] else { return nil }
            var event: JSONObject = ["event": "setting", "key": .string(setting.key), "value": entry.value.json, "origin": .string(entry.origin.name)]
            switch entry.origin {
            case .standard: break
            case .file(let path, let line):
                event["file"] = .string(path)
                event["line"] = line.map { .integer(Int64($0)) } ?? .null
            case .environment(let variable): event["variable"] = .string(variable)
            case .flag(let flag): event["flag"] = .string(flag)
            }
            return event
        }
    }
}
