import DIGIdentity

/// The part of JSON that signed records in the seed's form are made of, read and written so that the bytes are those of JavaScript's `JSON.stringify`
/// over what `JSON.parse` has read (ECMA-262 §25.5): the order of the keys stays, nothing is put between, numbers are whole.
///
/// What JavaScript would change on the way is refused: keys twice, keys that are numbers (they move to the front), halves of surrogate pairs,
/// fractions and exponents.
enum SeedJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    /// Not below −(2⁵³ − 1), not above 2⁵³ − 1.
    case integer(Int64)
    case string(String)
    case object([Member])

    struct Member: Hashable, Sendable {
        var key: String
        var value: SeedJSON
    }

    /// 2⁵³ − 1, `Number.MAX_SAFE_INTEGER`.
    static let maximumInteger: Int64 = 9_007_199_254_740_991
    static let maximumDepth = 4
    static let maximumMemberCount = 32

    subscript(key: String) -> SeedJSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.key == key }?.value
    }

    var string: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    var integer: Int64? {
        guard case .integer(let number) = self else { return nil }
        return number
    }

    // MARK: Writing

    var text: String {
        var text = ""
        self.write(to: &text)
        return text
    }

    private func write(to text: inout String) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .integer(let number): text += String(number)
        case .string(let value): text += SeedJSONText.quoted(value)
        case .object(let members):
            text += "{"
            for (index, member) in members.enumerated() {
                if index > 0 { text += "," }
                text += SeedJSONText.quoted(member.key)
                text += ":"
                member.value.write(to: &text)
            }
            text += "}"
        }
    }

    // MARK: Reading

    /// Reads one object and nothing after it; `nil` for anything else.
    init?(parsing bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard let value = reader.value(depth: 0), reader.isAtEnd, case .object = value else { return nil }
        self = value
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        private var next: UInt8? { self.position < self.bytes.count ? self.bytes[self.position] : nil }

        private mutating func skipSpace() {
            while let byte = self.next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { self.position += 1 }
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard self.next == byte else { return false }
            self.position += 1
            return true
        }

        private mutating func take(_ word: String) -> Bool {
            let word = Array(word.utf8)
            guard self.bytes.count - self.position >= word.count, self.bytes[self.position..<(self.position + word.count)].elementsEqual(word) else { return false }
            self.position += word.count
            return true
        }

        var isAtEnd: Bool {
            var copy = self
            copy.skipSpace()
            return copy.next == nil
        }

        mutating func value(depth: Int) -> SeedJSON? {
            self.skipSpace()
            switch self.next {
            case UInt8(ascii: "{"): return depth < SeedJSON.maximumDepth ? self.object(depth: depth) : nil
            case UInt8(ascii: "\""): return self.string().map(SeedJSON.string)
            case UInt8(ascii: "t"): return self.take("true") ? .bool(true) : nil
            case UInt8(ascii: "f"): return self.take("false") ? .bool(false) : nil
            case UInt8(ascii: "n"): return self.take("null") ? .null : nil
            default: return self.number()
            }
        }

        private mutating func object(depth: Int) -> SeedJSON? {
            guard self.take(UInt8(ascii: "{")) else { return nil }
            var members: [Member] = []
            self.skipSpace()
            if self.take(UInt8(ascii: "}")) { return .object([]) }
            while true {
                self.skipSpace()
                guard members.count < SeedJSON.maximumMemberCount, let key = self.string(), !members.contains(where: { $0.key == key }) else { return nil }
                // Would not stay where it is; `__proto__` would not stay at all in some readers.
                guard !(key.utf8.first.map { (0x30...0x39).contains($0) } ?? false), key != "__proto__" else { return nil }
                self.skipSpace()
                guard self.take(UInt8(ascii: ":")), let value = self.value(depth: depth + 1) else { return nil }
                members.append(Member(key: key, value: value))
                self.skipSpace()
                if self.take(UInt8(ascii: "}")) { return .object(members) }
                guard self.take(UInt8(ascii: ",")) else { return nil }
            }
        }

        private mutating func number() -> SeedJSON? {
            let isNegative = self.take(UInt8(ascii: "-"))
            var digits: [UInt8] = []
            while let byte = self.next, (0x30...0x39).contains(byte), digits.count < 17 {
                digits.append(byte - 0x30)
                self.position += 1
            }
            guard let first = digits.first, digits.count == 1 || first != 0, digits.count < 17 else { return nil }
            if let byte = self.next, byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") { return nil }
            let magnitude = digits.reduce(Int64(0)) { $0 * 10 + Int64($1) }
            // JavaScript writes −0 as 0.
            guard magnitude <= SeedJSON.maximumInteger, !(isNegative && magnitude == 0) else { return nil }
            return .integer(isNegative ? -magnitude : magnitude)
        }

        private mutating func string() -> String? {
            guard self.take(UInt8(ascii: "\"")) else { return nil }
            var content: [UInt8] = []
            while let byte = self.next {
                self.position += 1
                switch byte {
                case UInt8(ascii: "\""): return String(validating: content, as: UTF8.self)
                case 0..<0x20: return nil
                case UInt8(ascii: "\\"):
                    guard let scalar = self.escaped() else { return nil }
                    content += Array(String(Character(scalar)).utf8)
                default: content.append(byte)
                }
            }
            return nil
        }

        private mutating func escaped() -> Unicode.Scalar? {
            guard let byte = self.next else { return nil }
            self.position += 1
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
            case UInt8(ascii: "b"): return "\u{8}"
            case UInt8(ascii: "f"): return "\u{C}"
            case UInt8(ascii: "n"): return "\n"
            case UInt8(ascii: "r"): return "\r"
            case UInt8(ascii: "t"): return "\t"
            case UInt8(ascii: "u"):
                guard let unit = self.codeUnit() else { return nil }
                guard (0xD800..<0xDC00).contains(unit) else { return Unicode.Scalar(unit) }
                guard self.take(UInt8(ascii: "\\")), self.take(UInt8(ascii: "u")), let low = self.codeUnit(), (0xDC00..<0xE000).contains(low) else { return nil }
                return Unicode.Scalar(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))
            default: return nil
            }
        }

        private mutating func codeUnit() -> UInt32? {
            var unit: UInt32 = 0
            for _ in 0..<4 {
                guard let byte = self.next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
                self.position += 1
                unit = unit << 4 | UInt32(digit)
            }
            return unit
        }
    }
}
