import DIGMultiformats

/// Reads a DNS message. Never looks outside its bytes, and never longer than the length of a name at a name.
struct DNSReader {
    /// Ours: pointers followed for one name. Writers use one.
    static let maximumPointerCount = 16

    let bytes: [UInt8]
    private(set) var position = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func readUInt8() throws(DNSDecodingError) -> UInt8 {
        guard self.position < self.bytes.count else { throw .truncated }
        defer { self.position += 1 }
        return self.bytes[self.position]
    }

    mutating func readUInt16() throws(DNSDecodingError) -> UInt16 {
        UInt16(try self.readUInt8()) << 8 | UInt16(try self.readUInt8())
    }

    mutating func readUInt32() throws(DNSDecodingError) -> UInt32 {
        UInt32(try self.readUInt16()) << 16 | UInt32(try self.readUInt16())
    }

    mutating func readBytes(_ count: Int) throws(DNSDecodingError) -> ArraySlice<UInt8> {
        guard count <= self.bytes.count - self.position else { throw .truncated }
        defer { self.position += count }
        return self.bytes[self.position..<(self.position + count)]
    }

    /// Reads a name, following pointers (RFC 1035 §4.1.4).
    ///
    /// A pointer must lead to a place before the part of the name that it ends. So places only go down, and no chain of
    /// pointers is endless.
    mutating func readName() throws(DNSDecodingError) -> DNSName {
        var labels: [[UInt8]] = []
        var byteCount = 1
        var pointerCount = 0
        var start = self.position
        /// Where reading goes on: behind the first pointer.
        var end: Int?
        while true {
            let length = try self.readUInt8()
            switch length & 0xc0 {
            case 0x00:
                guard length > 0 else {
                    if let end { self.position = end }
                    guard let name = DNSName(labels: labels) else { throw .invalidName }
                    return name
                }
                byteCount += 1 + Int(length)
                guard byteCount <= DNSName.maximumByteCount else { throw .invalidName }
                labels.append(Array(try self.readBytes(Int(length))))
            case 0xc0:
                let target = Int(length & 0x3f) << 8 | Int(try self.readUInt8())
                pointerCount += 1
                guard target < start, pointerCount <= Self.maximumPointerCount else { throw .invalidName }
                if end == nil { end = self.position }
                start = target
                self.position = target
            default:
                throw .invalidName
            }
        }
    }

    /// Reads a record; `nil` for one of a class other than IN.
    mutating func readRecord() throws(DNSDecodingError) -> DNSRecord? {
        let name = try self.readName()
        let type = DNSRecordType(rawValue: try self.readUInt16())
        let recordClass = try self.readUInt16()
        let lifetime = try self.readUInt32()
        let count = Int(try self.readUInt16())
        guard count <= self.bytes.count - self.position else { throw .truncated }
        let end = self.position + count
        guard recordClass & 0x7fff == 1 else {
            self.position = end
            return nil
        }
        let value = try self.readValue(type, end: end)
        guard self.position == end else { throw .invalidValue }
        return DNSRecord(name: name, value: value, lifetimeSeconds: lifetime, flushesCache: recordClass & 0x8000 != 0)
    }

    private mutating func readValue(_ type: DNSRecordType, end: Int) throws(DNSDecodingError) -> DNSRecord.Value {
        switch type {
        case .pointer: return .pointer(try self.readName())
        case .text:
            // RFC 1035 §3.3.14: strings behind their length, one at least; RFC 6763 §6.1 asks for patience with none.
            var strings: [[UInt8]] = []
            while self.position < end {
                let count = Int(try self.readUInt8())
                guard count <= end - self.position else { throw .invalidValue }
                strings.append(Array(try self.readBytes(count)))
            }
            return .text(strings)
        case .service:
            _ = try self.readUInt32()  // priority and weight: one host only (RFC 2782)
            return .service(port: try self.readUInt16(), target: try self.readName())
        case .a:
            guard end - self.position == 4, let address = IPv4Address(bytes: try self.readBytes(4)) else { throw .invalidValue }
            return .a(address)
        case .aaaa:
            guard end - self.position == 16, let address = IPv6Address(bytes: try self.readBytes(16)) else { throw .invalidValue }
            return .aaaa(address)
        default:
            self.position = end
            return .other(type)
        }
    }
}
