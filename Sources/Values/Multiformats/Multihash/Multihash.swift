/// A digest that says which function made it: code, length, digest (<https://github.com/multiformats/multihash>).
public struct Multihash: Hashable, Sendable, CustomStringConvertible {
    /// Ours: the longest digest in use has 64 bytes; an identity multihash carries a short key.
    public static let maximumDigestByteCount = 128

    public var code: Code
    public var digest: [UInt8]

    public init(code: Code, digest: [UInt8]) {
        self.code = code
        self.digest = digest
    }

    /// Decodes a multihash that fills `bytes` exactly.
    public init(bytes: some Collection<UInt8>) throws(MultihashError) {
        let code: (value: UInt64, byteCount: Int)
        let length: (value: UInt64, byteCount: Int)
        do throws(VarintError) {
            code = try UnsignedVarint.decode(bytes)
            length = try UnsignedVarint.decode(bytes.dropFirst(code.byteCount))
        } catch {
            throw .invalidVarint(error)
        }
        guard length.value <= UInt64(Self.maximumDigestByteCount) else { throw .digestTooLong(byteCount: length.value) }
        let digest = Array(bytes.dropFirst(code.byteCount + length.byteCount))
        guard digest.count == Int(length.value) else {
            throw .lengthMismatch(expected: Int(length.value), actual: digest.count)
        }
        self.init(code: Code(rawValue: code.value), digest: digest)
    }

    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.digest.count + 4)
        UnsignedVarint.encode(self.code.rawValue, into: &bytes)
        UnsignedVarint.encode(UInt64(self.digest.count), into: &bytes)
        bytes += self.digest
        return bytes
    }

    /// Base 58, as in a peer id.
    public var description: String { Base58BTC.encode(self.bytes) }
}
