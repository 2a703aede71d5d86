import CSecp256k1

extension Secp256k1 {
    /// A signature that gives away the key it was made with (SEC 1 §4.1.6).
    struct RecoverableSignature: Hashable, Sendable {
        /// r and s, 32 bytes each, big-endian.
        var compact: [UInt8]
        /// Which of up to four keys: 0 to 3.
        var recoveryID: Int
    }

    /// A signature with low s and the nonce of RFC 6979; `digest` has 32 bytes.
    static func signRecoverable(digest: [UInt8], privateKey: [UInt8]) -> RecoverableSignature? {
        guard digest.count == 32, Self.isPrivateKey(privateKey) else { return nil }
        let context = Secp256k1Context.shared.pointer
        var signature = secp256k1_ecdsa_recoverable_signature()
        guard secp256k1_ecdsa_sign_recoverable(context, &signature, digest, privateKey, nil, nil) == 1 else { return nil }
        var compact = [UInt8](repeating: 0, count: 64)
        var recoveryID: Int32 = 0
        guard secp256k1_ecdsa_recoverable_signature_serialize_compact(context, &compact, &recoveryID, &signature) == 1 else { return nil }
        return RecoverableSignature(compact: compact, recoveryID: Int(recoveryID))
    }

    /// The compressed key that the signature was made with, if it was made over `digest`: any other digest gives another key.
    static func recover(_ signature: RecoverableSignature, digest: [UInt8]) -> [UInt8]? {
        // The library takes a number beyond these for a mistake of its caller and ends the process.
        guard digest.count == 32, signature.compact.count == 64, (0...3).contains(signature.recoveryID) else { return nil }
        let context = Secp256k1Context.shared.pointer
        var parsed = secp256k1_ecdsa_recoverable_signature()
        guard secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, signature.compact, Int32(signature.recoveryID)) == 1
        else { return nil }
        var key = secp256k1_pubkey()
        guard secp256k1_ecdsa_recover(context, &key, &parsed, digest) == 1 else { return nil }
        return Self.serialize(&key, isCompressed: true)
    }

    /// Whether s is above half the order, so that the signature has a twin that everybody can make. `nil` if the numbers are out of range.
    static func hasHighS(compact: [UInt8]) -> Bool? {
        guard compact.count == 64 else { return nil }
        let context = Secp256k1Context.shared.pointer
        var signature = secp256k1_ecdsa_signature()
        guard secp256k1_ecdsa_signature_parse_compact(context, &signature, compact) == 1 else { return nil }
        return secp256k1_ecdsa_signature_normalize(context, nil, &signature) == 1
    }
}
