extension Multiaddr {
    /// Decodes the binary form, which must fill `bytes` exactly.
    ///
    /// - Throws: ``MultiaddrError`` with the place and name of the component that is wrong.
    public init(bytes: some Collection<UInt8>) throws(MultiaddrError) {
        guard !bytes.isEmpty else { throw MultiaddrError(.empty, offset: 0, component: "", "there are no bytes") }
        guard bytes.count <= Self.maximumByteCount else {
            throw MultiaddrError(.limitExceeded, offset: 0, component: "", "longer than \(Self.maximumByteCount) bytes")
        }
        let count = bytes.count
        var rest = Array(bytes)[...]
        var components: [Component] = []
        while !rest.isEmpty {
            let offset = count - rest.count
            let code = try Self.readVarint(&rest, offset: offset, component: "")
            guard let kind = MultiaddrProtocol(rawValue: code) else {
                throw MultiaddrError(.unknownProtocol, offset: offset, component: "\(code)", "the protocol is not known")
            }
            guard components.count < Self.maximumComponentCount else {
                throw MultiaddrError(
                    .limitExceeded, offset: offset, component: kind.name, "more than \(Self.maximumComponentCount) components")
            }
            let valueCount: UInt64 =
                switch kind.valueSize {
                case .none: 0
                case .fixed(let count): UInt64(count)
                case .prefixed: try Self.readVarint(&rest, offset: offset, component: kind.name)
                }
            guard valueCount <= UInt64(rest.count) else {
                throw MultiaddrError(
                    .missingValue, offset: offset, component: kind.name,
                    "its value has \(valueCount) bytes, \(rest.count) are left")
            }
            let value = rest.prefix(Int(valueCount))
            rest = rest.dropFirst(Int(valueCount))
            do throws(Component.InvalidValue) {
                components.append(try Component(kind, bytes: value))
            } catch {
                throw MultiaddrError(.invalidValue, offset: offset, component: kind.name, error.reason)
            }
        }
        self.components = components
    }

    /// The binary form.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        for component in self.components {
            let kind = component.protocol
            UnsignedVarint.encode(kind.rawValue, into: &bytes)
            let value = component.binaryValue
            if case .prefixed = kind.valueSize { UnsignedVarint.encode(UInt64(value.count), into: &bytes) }
            bytes += value
        }
        return bytes
    }

    private static func readVarint(
        _ bytes: inout ArraySlice<UInt8>, offset: Int, component: String
    ) throws(MultiaddrError) -> UInt64 {
        do throws(VarintError) {
            let (value, byteCount) = try UnsignedVarint.decode(bytes)
            bytes = bytes.dropFirst(byteCount)
            return value
        } catch {
            throw MultiaddrError(
                error == .truncated ? .missingValue : .syntax, offset: offset, component: component, "a varint is \(error)")
        }
    }
}
