/// Reads JSON (RFC 8259) under limits. Of members with the same name the last one counts, as with `JSON.parse`.
///
/// Stricter than gun.js, whose parser takes `{"#":"a",` for a message.
struct GunJSONReader {
    private let bytes: [UInt8]
    private let limits: GunJSONLimits
    private var offset = 0
    private var valueCount = 0

    private init(_ bytes: [UInt8], _ limits: GunJSONLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    static func read(_ bytes: [UInt8], limits: GunJSONLimits = .init()) throws(GunJSONError) -> GunJSON {
        var reader = GunJSONReader(bytes, limits)
        reader.skipSpace()
        let value = try reader.value(depth: 0)
        reader.skipSpace()
        guard reader.offset == bytes.count else { throw .trailingBytes(offset: reader.offset) }
        return value
    }

    private func peek() throws(GunJSONError) -> UInt8 {
        guard self.offset < self.bytes.count else { throw .unexpectedEnd }
        return self.bytes[self.offset]
    }

    private mutating func next() throws(GunJSONError) -> UInt8 {
        let byte = try self.peek()
        self.offset += 1
        return byte
    }

    private mutating func skipSpace() {
        while self.offset < self.bytes.count {
            switch self.bytes[self.offset] {
            case 0x20, 0x09, 0x0A, 0x0D: self.offset += 1
            default: return
            }
        }
    }

    private mutating func expect(_ byte: UInt8) throws(GunJSONError) {
        guard try self.next() == byte else { throw .unexpectedByte(offset: self.offset - 1) }
    }

    private mutating func word(_ word: StaticString, _ value: GunJSON) throws(GunJSONError) -> GunJSON {
        for index in 0..<word.utf8CodeUnitCount { try self.expect(word.utf8Start[index]) }
        return value
    }

    private mutating func value(depth: Int) throws(GunJSONError) -> GunJSON {
        self.valueCount += 1
        guard self.valueCount <= self.limits.valueCount else { throw .tooManyValues }
        switch try self.peek() {
        case UInt8(ascii: "n"): return try self.word("null", .null)
        case UInt8(ascii: "t"): return try self.word("true", .bool(true))
        case UInt8(ascii: "f"): return try self.word("false", .bool(false))
        case UInt8(ascii: "\""): return .string(ExactText(try self.string(limit: self.limits.stringByteCount)))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try self.number())
        case UInt8(ascii: "["): return try self.array(depth: depth + 1)
        case UInt8(ascii: "{"): return try self.object(depth: depth + 1)
        default: throw .unexpectedByte(offset: self.offset)
        }
    }

    private mutating func array(depth: Int) throws(GunJSONError) -> GunJSON {
        guard depth <= self.limits.depth else { throw .tooDeep }
        try self.expect(UInt8(ascii: "["))
        var elements: [GunJSON] = []
        self.skipSpace()
        if try self.peek() == UInt8(ascii: "]") {
            self.offset += 1
            return .array(elements)
        }
        while true {
            self.skipSpace()
            elements.append(try self.value(depth: depth))
            self.skipSpace()
            switch try self.next() {
            case UInt8(ascii: ","): continue
            case UInt8(ascii: "]"): return .array(elements)
            default: throw .unexpectedByte(offset: self.offset - 1)
            }
        }
    }

    private mutating func object(depth: Int) throws(GunJSONError) -> GunJSON {
        guard depth <= self.limits.depth else { throw .tooDeep }
        try self.expect(UInt8(ascii: "{"))
        var members: [ExactText: GunJSON] = [:]
        self.skipSpace()
        if try self.peek() == UInt8(ascii: "}") {
            self.offset += 1
            return .object(members)
        }
        while true {
            self.skipSpace()
            let name = ExactText(try self.string(limit: self.limits.nameByteCount))
            self.skipSpace()
            try self.expect(UInt8(ascii: ":"))
            self.skipSpace()
            members[name] = try self.value(depth: depth)
            self.skipSpace()
            switch try self.next() {
            case UInt8(ascii: ","): continue
            case UInt8(ascii: "}"): return .object(members)
            default: throw .unexpectedByte(offset: self.offset - 1)
            }
        }
    }

    private mutating func digits() -> Int {
        let start = self.offset
        while self.offset < self.bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self.bytes[self.offset]) { self.offset += 1 }
        return self.offset - start
    }

    private func isNext(_ byte: UInt8) -> Bool { self.offset < self.bytes.count && self.bytes[self.offset] == byte }

    private mutating func number() throws(GunJSONError) -> Double {
        let start = self.offset
        if self.isNext(UInt8(ascii: "-")) { self.offset += 1 }
        let first = self.offset
        let whole = self.digits()
        guard whole > 0, whole == 1 || self.bytes[first] != UInt8(ascii: "0") else { throw .malformedNumber(offset: start) }
        if self.isNext(UInt8(ascii: ".")) {
            self.offset += 1
            guard self.digits() > 0 else { throw .malformedNumber(offset: start) }
        }
        if self.isNext(UInt8(ascii: "e")) || self.isNext(UInt8(ascii: "E")) {
            self.offset += 1
            if self.isNext(UInt8(ascii: "+")) || self.isNext(UInt8(ascii: "-")) { self.offset += 1 }
            guard self.digits() > 0 else { throw .malformedNumber(offset: start) }
        }
        // Ours: nothing that JavaScript writes is longer than 25 characters.
        guard self.offset - start <= 400, let number = Double(String(decoding: self.bytes[start..<self.offset], as: UTF8.self)) else {
            throw .malformedNumber(offset: start)
        }
        return number
    }

    private mutating func string(limit: Int) throws(GunJSONError) -> String {
        try self.expect(UInt8(ascii: "\""))
        let start = self.offset
        // The usual string has no escapes: find its end first.
        while true {
            let byte = try self.peek()
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { break }
            guard byte >= 0x20 else { throw .malformedString(offset: self.offset) }
            self.offset += 1
            guard self.offset - start <= limit else { throw .stringTooLong }
        }
        if self.bytes[self.offset] == UInt8(ascii: "\"") {
            guard let text = String(validating: self.bytes[start..<self.offset], as: UTF8.self) else { throw .malformedString(offset: start) }
            self.offset += 1
            return text
        }
        var text = Array(self.bytes[start..<self.offset])
        while true {
            let byte = try self.next()
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: text, as: UTF8.self) else { throw .malformedString(offset: start) }
                return text
            case UInt8(ascii: "\\"): try self.escape(into: &text)
            case 0..<0x20: throw .malformedString(offset: self.offset - 1)
            default: text.append(byte)
            }
            guard text.count <= limit else { throw .stringTooLong }
        }
    }

    private mutating func escape(into text: inout [UInt8]) throws(GunJSONError) {
        let start = self.offset - 1
        switch try self.next() {
        case UInt8(ascii: "\""): text.append(UInt8(ascii: "\""))
        case UInt8(ascii: "\\"): text.append(UInt8(ascii: "\\"))
        case UInt8(ascii: "/"): text.append(UInt8(ascii: "/"))
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try self.hexadecimal(start))
            switch code {
            case 0xD800...0xDBFF:
                guard self.isNext(UInt8(ascii: "\\")) else { throw .loneSurrogate(offset: start) }
                self.offset += 1
                guard self.isNext(UInt8(ascii: "u")) else { throw .loneSurrogate(offset: start) }
                self.offset += 1
                let low = UInt32(try self.hexadecimal(start))
                guard (0xDC00...0xDFFF).contains(low) else { throw .loneSurrogate(offset: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            case 0xDC00...0xDFFF: throw .loneSurrogate(offset: start)
            default: break
            }
            guard let scalar = Unicode.Scalar(code) else { throw .loneSurrogate(offset: start) }
            text.append(contentsOf: String(Character(scalar)).utf8)
        default: throw .malformedString(offset: start)
        }
    }

    private mutating func hexadecimal(_ start: Int) throws(GunJSONError) -> UInt16 {
        var code: UInt16 = 0
        for _ in 0..<4 {
            let byte = try self.next()
            let digit: UInt8 =
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
                default: throw .malformedString(offset: start)
                }
            code = code << 4 | UInt16(digit)
        }
        return code
    }
}
