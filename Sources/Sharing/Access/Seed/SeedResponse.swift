import DIGIdentity

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The seed's third message, `{peerId, publicKey, signature, timestamp}` in JSON.
public struct SeedResponse: Hashable, Sendable, Codable {
    /// The peer id of the key, or its node id.
    public var peerId: String
    /// Hexadecimal.
    public var publicKey: String
    /// Hexadecimal.
    public var signature: String
    /// Milliseconds since 1970.
    public var timestamp: UInt64
    /// Nil: secp256k1. Otherwise covered by the signature.
    public var algorithm: String?

    public init(peerId: String, publicKey: String, signature: String, timestamp: UInt64, algorithm: String? = nil) {
        self.peerId = peerId
        self.publicKey = publicKey
        self.signature = signature
        self.timestamp = timestamp
        self.algorithm = algorithm
    }

    /// - Throws: ``AccessError`` with `.malformed`.
    public init(json: [UInt8]) throws(AccessError) {
        self = try SeedChallenge.decode(json)
    }

    /// The keys in the seed's order.
    public var json: [UInt8] {
        var text = "{\"peerId\":\(SeedJSONText.quoted(self.peerId)),\"publicKey\":\(SeedJSONText.quoted(self.publicKey))"
        text += ",\"signature\":\(SeedJSONText.quoted(self.signature)),\"timestamp\":\(self.timestamp)"
        if let algorithm { text += ",\"algorithm\":\(SeedJSONText.quoted(algorithm))" }
        return Array((text + "}").utf8)
    }
}
