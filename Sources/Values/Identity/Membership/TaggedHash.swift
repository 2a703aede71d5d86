import Crypto

/// SHA-256 that is different for each purpose (BIP-340, "Design"): SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ message).
enum TaggedHash {
    static func hash(_ tag: String, _ message: some Collection<UInt8>) -> [UInt8] {
        let tag = Array(SHA256.hash(data: Array(tag.utf8)))
        return Array(SHA256.hash(data: tag + tag + message))
    }
}
