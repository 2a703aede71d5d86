/// The value of a ``Setting``.
public enum SettingValue: Hashable, Sendable {
    case path(String)
    case addresses([String])
    /// Bytes per second; `nil` is unlimited.
    case rate(UInt64?)
    /// `nil` is unlimited.
    case bytes(UInt64?)
    case flag(Bool)
    case count(Int)
    case choice(String)
    case words([String])
    /// Empty: none.
    case name(String)

    /// Reads the text of a flag or an environment variable.
    ///
    /// - Throws: ``SettingTextError``, which says what is expected.
    public init(_ text: String, for setting: Setting) throws(SettingTextError) {
        switch setting.kind {
        case .path:
            guard !text.isEmpty else { throw SettingTextError(expected: "a path") }
            self = .path(text)
        case .addresses:
            // An empty text is an empty list: listen nowhere.
            self = .addresses(text.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init))
        case .rate:
            if text.lowercased() == "unlimited" {
                self = .rate(nil)
                return
            }
            guard let rate = ByteCount.parse(text), rate > 0 else {
                throw SettingTextError(expected: "a rate such as \"500 KiB/s\" or \"2M\", or \"unlimited\"")
            }
            self = .rate(rate)
        case .bytes:
            if text.lowercased() == "unlimited" {
                self = .bytes(nil)
                return
            }
            guard !text.hasSuffix("/s"), let count = ByteCount.parse(text), count > 0 else {
                throw SettingTextError(expected: "a number of bytes such as \"20 GiB\", or \"unlimited\"")
            }
            self = .bytes(count)
        case .flag:
            switch text.lowercased() {
            case "true", "yes", "on", "1": self = .flag(true)
            case "false", "no", "off", "0": self = .flag(false)
            default: throw SettingTextError(expected: "true or false")
            }
        case .count(let range):
            guard let count = Int(text), range.contains(count) else {
                throw SettingTextError(expected: "a number from \(range.lowerBound) to \(range.upperBound)")
            }
            self = .count(count)
        case .choice(let choices):
            guard choices.contains(text) else { throw SettingTextError(expected: "one of " + choices.joined(separator: ", ")) }
            self = .choice(text)
        case .words(let choices):
            let words = text.split(separator: ",", omittingEmptySubsequences: text.isEmpty).flatMap { part in
                // An empty place between two commas is a word, and none of the choices.
                part.isEmpty ? [""] : part.split(separator: " ").map(String.init)
            }
            guard words.allSatisfy(choices.contains), Set(words).count == words.count else {
                throw SettingTextError(expected: "some of \(choices.joined(separator: ", ")), each once")
            }
            self = .words(words)
        case .name: self = .name(text)
        }
    }

    /// As a person would write it.
    public var text: String {
        switch self {
        case .path(let path): path
        case .addresses(let addresses): addresses.isEmpty ? "(none)" : addresses.joined(separator: ", ")
        case .rate(nil), .bytes(nil): "unlimited"
        case .rate(let rate?): "\(ByteCount.text(rate))/s"
        case .bytes(let count?): ByteCount.text(count)
        case .flag(let flag): flag ? "true" : "false"
        case .count(let count): "\(count)"
        case .choice(let word): word
        case .words(let words): words.isEmpty ? "(all)" : words.joined(separator: ", ")
        case .name(let name): name.isEmpty ? "(none)" : name
        }
    }

    /// Rates are bytes per second, unlimited is `null`.
    public var json: JSONValue {
        switch self {
        case .path(let path): .string(path)
        case .addresses(let addresses): .array(addresses.map(JSONValue.string))
        case .rate(let count), .bytes(let count): count.map(JSONValue.unsigned) ?? .null
        case .flag(let flag): .boolean(flag)
        case .count(let count): .integer(Int64(count))
        case .choice(let word): .string(word)
        case .words(let words): .array(words.map(JSONValue.string))
        case .name(let name): name.isEmpty ? .null : .string(name)
        }
    }
}

/// A text that is no value of a setting.
public struct SettingTextError: Error, Hashable, Sendable {
    /// "a path", "true or false".
    public var expected: String
}
