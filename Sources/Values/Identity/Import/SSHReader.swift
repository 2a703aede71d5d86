/// Reads the fields of RFC 4251 §5.
struct SSHReader {
    struct Malformed: Error {}

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        self.rest = bytes[...]
    }

    mutating func readUInt32() throws(Malformed) -> UInt32 {
        try self.read(4).reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Bytes behind their length in four bytes.
    mutating func readString() throws(Malformed) -> [UInt8] {
        let count = try self.readUInt32()
        return try self.read(Int(count))
    }

    mutating func readText() throws(Malformed) -> String { String(decoding: try self.readString(), as: UTF8.self) }

    /// A number that is not negative, without leading zeros.
    mutating func readNumber() throws(Malformed) -> [UInt8] {
        let bytes = try self.readString()
        guard bytes.first.map({ $0 < 0x80 }) ?? false else { throw Malformed() }
        return Array(bytes.drop { $0 == 0 })
    }

    mutating func expect(_ bytes: [UInt8]) throws(Malformed) {
        guard try self.read(bytes.count) == bytes else { throw Malformed() }
    }

    private mutating func read(_ count: Int) throws(Malformed) -> [UInt8] {
        guard count <= self.rest.count else { throw Malformed() }
        defer { self.rest = self.rest.dropFirst(count) }
        return Array(self.rest.prefix(count))
    }
}
