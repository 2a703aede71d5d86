import DIGMultiformats

/// The two-field message in which libp2p stores keys (peer-ids, "Keys"): type, then data.
///
///     08 <type> 12 <length> <data…>
///
/// A peer id is a hash of these bytes, so the specification allows one encoding only, and nothing else is read.
enum KeyProtobuf {
    /// Ours: an RSA private key of 8,192 bits takes some 4,700 bytes.
    static let maximumByteCount = 8192

    static func encode(_ algorithm: KeyAlgorithm, _ data: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = [0x08, algorithm.number, 0x12]
        UnsignedVarint.encode(UInt64(data.count), into: &bytes)
        return bytes + data
    }

    /// - Returns: `nil` for anything but the one encoding of a known key type.
    static func decode(_ bytes: some Collection<UInt8>) -> (algorithm: KeyAlgorithm, data: [UInt8])? {
        guard bytes.count <= Self.maximumByteCount else { return nil }
        let bytes = Array(bytes)
        guard bytes.count >= 4, bytes[0] == 0x08, bytes[2] == 0x12, let algorithm = KeyAlgorithm(number: bytes[1]) else { return nil }
        do throws(VarintError) {
            let length = try UnsignedVarint.decode(bytes.dropFirst(3))
            let data = bytes.dropFirst(3 + length.byteCount)
            guard UInt64(data.count) == length.value else { return nil }
            return (algorithm, Array(data))
        } catch {
            return nil
        }
    }
}
