/// A relative path that stays below the folder it is resolved in, and harms no file system or terminal.
///
/// Components are separated by `/`. Refused: absolute paths, empty, `.` and `..` components, backslashes, control characters (NUL, escape
/// sequences and line breaks among them), components over 255 bytes, paths over 4096 bytes or 64 components. Paths are compared by
/// their UTF-8 bytes, so that two spellings of one accented letter are two paths, as they are on Linux.
public struct SafePath: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// NAME_MAX of the usual Linux file systems.
    public static let maximumComponentByteCount = 255
    /// PATH_MAX on Linux.
    public static let maximumByteCount = 4096
    public static let maximumDepth = 64

    /// The path, `/` between components.
    public let string: String

    /// - Throws: ``ContentError`` with `.unsafePath`; the message says why.
    public init(_ string: String) throws(ContentError) {
        guard !string.isEmpty else { throw Self.unsafe("the path is empty") }
        guard string.utf8.count <= Self.maximumByteCount else {
            throw Self.unsafe("the path has \(string.utf8.count) bytes, at most \(Self.maximumByteCount) are allowed")
        }
        guard string.utf8.first != UInt8(ascii: "/") else { throw Self.unsafe("the path \(Self.quoted(string)) is absolute") }
        var contiguous = string
        contiguous.makeContiguousUTF8()
        if let reason = contiguous.withUTF8({ Self.reasonToRefuse($0) }) {
            throw Self.unsafe("the path \(Self.quoted(string)) \(reason)")
        }
        self.string = contiguous
    }

    /// A single component, such as a file name that a link proposes.
    ///
    /// - Throws: ``ContentError`` with `.unsafePath`; the message says why.
    public init(fileName: String) throws(ContentError) {
        guard !fileName.utf8.contains(UInt8(ascii: "/")) else { throw Self.unsafe("the file name \(Self.quoted(fileName)) contains a slash") }
        try self.init(fileName)
    }

    private static func reasonToRefuse(_ path: UnsafeBufferPointer<UInt8>) -> String? {
        var previous: UInt8 = 0
        for byte in path {
            // C0 and DEL are single bytes; C1, U+0080 to U+009F, is 0xC2 and one of 0x80 to 0x9F.
            if byte < 0x20 || byte == 0x7f || (previous == 0xc2 && byte < 0xa0) { return "contains a control character" }
            if byte == UInt8(ascii: "\\") { return "contains a backslash" }
            previous = byte
        }
        let components = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard components.count <= Self.maximumDepth else { return "has \(components.count) components, at most \(Self.maximumDepth) are allowed" }
        for component in components {
            if component.isEmpty { return "has an empty component" }
            if component.count <= 2, component.allSatisfy({ $0 == UInt8(ascii: ".") }) { return "has the component \".\" or \"..\"" }
            if component.count > Self.maximumComponentByteCount {
                return "has a component of \(component.count) bytes, at most \(Self.maximumComponentByteCount) are allowed"
            }
        }
        return nil
    }

    private static func unsafe(_ message: String) -> ContentError { ContentError(.unsafePath, message) }

    private static func quoted(_ text: String) -> String { "\"\(DisplayText.escaped(String(text.prefix(80))))\"" }

    public var components: [String] { self.string.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) } }

    /// The last component.
    public var fileName: String { self.components.last ?? self.string }

    /// The path as it is; print ``displayText`` to a terminal.
    public var description: String { self.string }

    public var displayText: String { DisplayText.escaped(self.string) }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.string.utf8.elementsEqual(rhs.string.utf8) }

    public func hash(into hasher: inout Hasher) {
        var string = self.string
        string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        hasher.combine(UInt8(0xff))
    }

    public static func < (lhs: Self, rhs: Self) -> Bool { lhs.string.utf8.lexicographicallyPrecedes(rhs.string.utf8) }
}
