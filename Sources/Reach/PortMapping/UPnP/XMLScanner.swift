/// Reads the small part of XML that gateways use: elements, text, comments, CDATA.
///
/// No document type, no entities beyond XML's own five, no recursion, and a limit on everything.
struct XMLScanner {
    static let maximumByteCount = 128 * 1024
    static let maximumDepth = 24
    static let maximumElementCount = 2048
    static let maximumNameByteCount = 128
    /// Of one element.
    static let maximumTextByteCount = 4096

    private let bytes: ArraySlice<UInt8>
    private var index: Int
    private var elementCount = 0

    private struct Open {
        /// As written, with its prefix: the end tag has to match.
        var qualifiedName: [UInt8]
        var text: [UInt8] = []
        var children: [XMLElement] = []
    }

    /// Reads a whole document.
    static func parse(_ bytes: [UInt8]) throws(XMLError) -> XMLElement {
        guard bytes.count <= Self.maximumByteCount else { throw .tooLarge }
        var scanner = XMLScanner(bytes[...])
        return try scanner.document()
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        // A byte order mark.
        self.bytes = bytes.starts(with: [0xef, 0xbb, 0xbf]) ? bytes.dropFirst(3) : bytes
        self.index = self.bytes.startIndex
    }

    private mutating func document() throws(XMLError) -> XMLElement {
        var stack: [Open] = []
        var root: XMLElement?
        // What follows the root does not matter, and some routers add rubbish.
        while root == nil {
            guard let byte = self.peek else { throw .truncated }
            if byte != UInt8(ascii: "<") {
                try self.text(into: &stack)
            } else if self.skip("<!--") {
                try self.skipPast("-->")
            } else if self.skip("<![CDATA[") {
                let start = self.index
                try self.skipPast("]]>")
                guard !stack.isEmpty else { throw .malformed }
                try Self.append(self.bytes[start..<(self.index - 3)], to: &stack)
            } else if self.skip("<?") {
                try self.skipPast("?>")
            } else if self.skip("<!") {
                throw .declaration
            } else if self.skip("</") {
                let name = try self.name()
                self.skipSpace()
                guard self.skip(">") else { throw self.peek == nil ? .truncated : .malformed }
                guard let open = stack.popLast(), open.qualifiedName.elementsEqual(name) else { throw .malformed }
                let element = Self.close(open)
                if stack.isEmpty { root = element } else { stack[stack.count - 1].children.append(element) }
            } else {
                self.index += 1
                let name = try self.name()
                self.elementCount += 1
                guard self.elementCount <= Self.maximumElementCount else { throw .tooManyElements }
                guard stack.count < Self.maximumDepth else { throw .tooDeep }
                let open = Open(qualifiedName: Array(name))
                if try self.attributesEndElement() {
                    let element = Self.close(open)
                    if stack.isEmpty { root = element } else { stack[stack.count - 1].children.append(element) }
                } else {
                    stack.append(open)
                }
            }
        }
        guard let root else { throw .malformed }
        return root
    }

    private static func close(_ open: Open) -> XMLElement {
        let local = open.qualifiedName.lastIndex(of: UInt8(ascii: ":")).map { open.qualifiedName[($0 + 1)...] } ?? open.qualifiedName[...]
        let front = open.text.drop(while: Self.isSpace)
        let trimmed = front.reversed().drop(while: Self.isSpace).reversed()
        return XMLElement(name: String(decoding: local, as: UTF8.self), text: String(decoding: Array(trimmed), as: UTF8.self), children: open.children)
    }

    // MARK: Parts

    /// Skips attributes up to and past the end of the start tag.
    ///
    /// - Returns: Whether the tag was an empty element's.
    private mutating func attributesEndElement() throws(XMLError) -> Bool {
        while true {
            self.skipSpace()
            if self.skip("/>") { return true }
            if self.skip(">") { return false }
            _ = try self.name()
            self.skipSpace()
            guard self.skip("=") else { throw self.peek == nil ? .truncated : .malformed }
            self.skipSpace()
            guard let quote = self.peek else { throw .truncated }
            guard quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else { throw .malformed }
            self.index += 1
            while let byte = self.peek, byte != quote {
                guard byte != UInt8(ascii: "<") else { throw .malformed }
                self.index += 1
            }
            guard self.peek != nil else { throw .truncated }
            self.index += 1
        }
    }

    private mutating func text(into stack: inout [Open]) throws(XMLError) {
        let start = self.index
        while let byte = self.peek, byte != UInt8(ascii: "<"), byte != UInt8(ascii: "&") { self.index += 1 }
        let run = self.bytes[start..<self.index]
        if stack.isEmpty {
            guard run.allSatisfy(Self.isSpace), self.peek != UInt8(ascii: "&") else { throw .malformed }
            return
        }
        try Self.append(run, to: &stack)
        if self.peek == UInt8(ascii: "&") { try Self.append(try self.reference()[...], to: &stack) }
    }

    /// `&lt;` and its kind, `&#38;`, `&#x26;`.
    private mutating func reference() throws(XMLError) -> [UInt8] {
        self.index += 1
        let start = self.index
        while let byte = self.peek, byte != UInt8(ascii: ";") {
            self.index += 1
            guard self.index - start <= 8, byte != UInt8(ascii: "<") else { throw .entity }
        }
        guard self.peek != nil else { throw .truncated }
        let name = String(decoding: self.bytes[start..<self.index], as: UTF8.self)
        self.index += 1
        switch name {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let number: UInt32? =
                if name.hasPrefix("#x") { UInt32(name.dropFirst(2), radix: 16) } else if name.hasPrefix("#") { UInt32(name.dropFirst()) } else { nil }
            guard let number, number != 0, let scalar = Unicode.Scalar(number) else { throw .entity }
            return Array(String(Character(scalar)).utf8)
        }
    }

    private static func append(_ run: ArraySlice<UInt8>, to stack: inout [Open]) throws(XMLError) {
        guard let last = stack.indices.last else { return }
        // White space between elements is not text.
        if stack[last].text.isEmpty, run.allSatisfy(Self.isSpace) { return }
        guard stack[last].text.count + run.count <= Self.maximumTextByteCount else { throw .tooLongText }
        stack[last].text += run
    }

    private mutating func name() throws(XMLError) -> ArraySlice<UInt8> {
        let start = self.index
        while let byte = self.peek, Self.isNameByte(byte) {
            self.index += 1
            guard self.index - start <= Self.maximumNameByteCount else { throw .tooLongName }
        }
        guard self.peek != nil else { throw .truncated }
        guard self.index > start else { throw .malformed }
        return self.bytes[start..<self.index]
    }

    private var peek: UInt8? { self.index < self.bytes.endIndex ? self.bytes[self.index] : nil }

    /// Skips `text` if it is next.
    private mutating func skip(_ text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard self.bytes.endIndex - self.index >= length else { return false }
        let isNext = text.withUTF8Buffer { self.bytes[self.index..<(self.index + length)].elementsEqual($0) }
        if isNext { self.index += length }
        return isNext
    }

    private mutating func skipPast(_ text: StaticString) throws(XMLError) {
        while !self.skip(text) {
            guard self.peek != nil else { throw .truncated }
            self.index += 1
        }
    }

    private mutating func skipSpace() {
        while let byte = self.peek, Self.isSpace(byte) { self.index += 1 }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."), 0x80...:
            true
        default: false
        }
    }
}
