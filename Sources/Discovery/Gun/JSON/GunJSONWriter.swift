/// Writes JSON as gun.js does: the text of `JSON.stringify` after every object's keys were sorted. Hashes and conflicts depend on each character.
struct GunJSONWriter {
    private(set) var text: [UInt8] = []

    static func bytes(_ value: GunJSON) -> [UInt8] {
        var writer = GunJSONWriter()
        writer.write(value)
        return writer.text
    }

    static func string(_ value: GunJSON) -> String { String(decoding: Self.bytes(value), as: UTF8.self) }

    private mutating func write(_ value: GunJSON) {
        switch value {
        case .null: self.text.append(contentsOf: "null".utf8)
        case .bool(let bool): self.text.append(contentsOf: (bool ? "true" : "false").utf8)
        case .number(let number): self.text.append(contentsOf: Self.number(number).utf8)
        case .string(let string): self.write(string)
        case .array(let elements):
            self.text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { self.text.append(UInt8(ascii: ",")) }
                self.write(element)
            }
            self.text.append(UInt8(ascii: "]"))
        case .object(let members):
            self.text.append(UInt8(ascii: "{"))
            for (index, name) in Self.sorted(Array(members.keys)).enumerated() {
                if index > 0 { self.text.append(UInt8(ascii: ",")) }
                self.write(name)
                self.text.append(UInt8(ascii: ":"))
                self.write(members[name] ?? .null)
            }
            self.text.append(UInt8(ascii: "}"))
        }
    }

    /// The order in which JavaScript walks an object whose keys were added sorted: first those that are array indices, by number, then the
    /// others by UTF-16 code units (ECMA-262, "OrdinaryOwnPropertyKeys").
    static func sorted(_ names: [ExactText]) -> [ExactText] {
        var indices: [(UInt32, ExactText)] = []
        var others: [ExactText] = []
        for name in names {
            if let index = Self.arrayIndex(name) { indices.append((index, name)) } else { others.append(name) }
        }
        indices.sort { $0.0 < $1.0 }
        others.sort()
        return indices.map(\.1) + others
    }

    private static func arrayIndex(_ name: ExactText) -> UInt32? {
        let digits = name.string.utf8
        guard (1...10).contains(digits.count), digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            digits.count == 1 || digits.first != UInt8(ascii: "0"), let index = UInt32(name.string), index != .max
        else { return nil }
        return index
    }

    /// `JSON.stringify` of a string (ECMA-262, "QuoteJSONString"): `/` and everything from U+007F on stay as they are.
    private mutating func write(_ string: ExactText) {
        self.text.append(UInt8(ascii: "\""))
        for byte in string.string.utf8 {
            switch byte {
            case UInt8(ascii: "\""): self.text.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): self.text.append(contentsOf: "\\\\".utf8)
            case 0x08: self.text.append(contentsOf: "\\b".utf8)
            case 0x0C: self.text.append(contentsOf: "\\f".utf8)
            case 0x0A: self.text.append(contentsOf: "\\n".utf8)
            case 0x0D: self.text.append(contentsOf: "\\r".utf8)
            case 0x09: self.text.append(contentsOf: "\\t".utf8)
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                self.text.append(contentsOf: "\\u00".utf8)
                self.text.append(digits[Int(byte >> 4)])
                self.text.append(digits[Int(byte & 15)])
            default: self.text.append(byte)
            }
        }
        self.text.append(UInt8(ascii: "\""))
    }

    /// `Number.prototype.toString` (ECMA-262, "Number::toString"); `null` for what JSON has no text for.
    static func number(_ number: Double) -> String {
        guard number.isFinite else { return "null" }
        guard number != 0 else { return "0" }
        // Swift's digits are the shortest that read back, the nearest of these, as JavaScript's: only the layout differs.
        var digits: [UInt8] = []
        var exponent = 0
        var pointPosition: Int?
        let description = Array(number.magnitude.description.utf8)
        var index = 0
        while index < description.count {
            switch description[index] {
            case UInt8(ascii: "."): pointPosition = digits.count
            case UInt8(ascii: "e"):
                exponent = Int(String(decoding: description[(index + 1)...], as: UTF8.self)) ?? 0
                index = description.count
            default: digits.append(description[index])
            }
            index += 1
        }
        // The value is 0.d₁d₂… · 10ⁿ.
        var n = (pointPosition ?? digits.count) + exponent
        while digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            n -= 1
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        let k = digits.count
        func text(_ digits: some Sequence<UInt8>) -> String { String(decoding: Array(digits), as: UTF8.self) }
        func zeros(_ count: Int) -> String { String(repeating: "0", count: count) }
        let sign = number < 0 ? "-" : ""
        if k <= n, n <= 21 { return sign + text(digits) + zeros(n - k) }
        if 0 < n, n <= 21 { return sign + text(digits[..<n]) + "." + text(digits[n...]) }
        if -6 < n, n <= 0 { return sign + "0." + zeros(-n) + text(digits) }
        let power = n - 1
        let suffix = (power < 0 ? "e-" : "e+") + "\(power.magnitude)"
        return k == 1 ? sign + text(digits) + suffix : sign + text(digits[..<1]) + "." + text(digits[1...]) + suffix
    }
}
