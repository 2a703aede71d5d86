/// Text that equals only the same code points.
///
/// Swift takes "é" as one code point and as two for the same string; JavaScript does not. Souls and keys that JavaScript tells apart have to
/// stay apart here.
public struct ExactText: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let string: String

    public init(_ string: String) {
        var string = string
        // So that every later pass over the bytes is quick.
        string.makeContiguousUTF8()
        self.string = string
    }

    public init(stringLiteral value: String) { self.init(value) }

    public var description: String { self.string }
    public var byteCount: Int { self.string.utf8.count }

    public static func == (lhs: Self, rhs: Self) -> Bool {
        lhs.string.utf8.count == rhs.string.utf8.count && lhs.string.utf8.elementsEqual(rhs.string.utf8)
    }

    public func hash(into hasher: inout Hasher) {
        var text = self.string
        text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }

    public func hasPrefix(_ prefix: String) -> Bool { self.string.utf8.starts(with: prefix.utf8) }
}

extension ExactText: Comparable {
    /// The order of JavaScript: by UTF-16 code units (ECMA-262, "IsLessThan").
    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.string.utf16.lexicographicallyPrecedes(rhs.string.utf16) }
}
