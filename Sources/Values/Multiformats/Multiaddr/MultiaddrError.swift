/// Text or bytes that are not a multiaddr, or not one that is supported.
public struct MultiaddrError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Code
    /// Where the component that is wrong begins, in bytes from the start.
    public var offset: Int
    /// The name of the component that is wrong, or what stands in its place; empty if there is none.
    public var component: String
    /// For a person: what is wrong with it; never parsed.
    public var message: String

    public init(_ code: Code, offset: Int, component: String, _ message: String) {
        self.code = code
        self.offset = offset
        self.component = component
        self.message = message
    }

    public var description: String {
        self.component.isEmpty
            ? "not a multiaddr, at \(self.offset): \(self.message)"
            : "not a multiaddr, at \(self.offset), \(self.component): \(self.message)"
    }

    public static func == (lhs: Self, rhs: Self) -> Bool { lhs.code == rhs.code }
    public func hash(into hasher: inout Hasher) { hasher.combine(self.code) }

    public struct Code: Hashable, Sendable {
        private enum Value { case empty, syntax, unknownProtocol, missingValue, invalidValue, limitExceeded }
        private let value: Value
        /// There is no component at all.
        public static let empty = Self(value: .empty)
        /// The text does not start with a slash or has an empty part; the bytes are not varints where they must be.
        public static let syntax = Self(value: .syntax)
        /// A protocol that is not known here. Others may know it.
        public static let unknownProtocol = Self(value: .unknownProtocol)
        /// The value of the last component is cut off.
        public static let missingValue = Self(value: .missingValue)
        /// The value is not one of its protocol: a port above 65,535, a bad address, name or peer id.
        public static let invalidValue = Self(value: .invalidValue)
        /// Longer than ``Multiaddr/maximumByteCount`` or more than ``Multiaddr/maximumComponentCount`` components.
        public static let limitExceeded = Self(value: .limitExceeded)
    }
}
