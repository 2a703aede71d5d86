import CSecp256k1

/// The group operations that a proof of knowledge needs. A scalar is a number from 1 to the order less one in 32 bytes, big-endian.
extension Secp256k1 {
    static func isScalar(_ bytes: [UInt8]) -> Bool { Self.isPrivateKey(bytes) }

    /// scalar·G + factor·point, compressed. `nil` if a number is out of range or the sum is the point at infinity.
    ///
    /// Not in constant time: for numbers that are or become public.
    static func sum(_ scalar: [UInt8], _ factor: [UInt8], times point: secp256k1_pubkey) -> [UInt8]? {
        guard Self.isScalar(scalar), Self.isScalar(factor) else { return nil }
        let context = Secp256k1Context.shared.pointer
        var result = point
        guard secp256k1_ec_pubkey_tweak_mul(context, &result, factor) == 1,
            secp256k1_ec_pubkey_tweak_add(context, &result, scalar) == 1
        else { return nil }
        return Self.serialize(&result, isCompressed: true)
    }

    /// nonce − factor·secret, in constant time. `nil` if a number is out of range or the result is zero.
    static func response(nonce: [UInt8], factor: [UInt8], secret: [UInt8]) -> [UInt8]? {
        guard Self.isScalar(nonce), Self.isScalar(factor), Self.isScalar(secret) else { return nil }
        let context = Secp256k1Context.shared.pointer
        var result = secret
        guard secp256k1_ec_seckey_tweak_mul(context, &result, factor) == 1,
            secp256k1_ec_seckey_negate(context, &result) == 1,
            secp256k1_ec_seckey_tweak_add(context, &result, nonce) == 1
        else { return nil }
        return result
    }
}
