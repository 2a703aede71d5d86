import Crypto
import Foundation

/// A P-256 private key as SEC 1 and RFC 5915 §3 write it, which is what libp2p stores.
enum ECPrivateKeyDER {
    ///     30 77  02 01 01  04 20 <32 bytes>  a0 0a 06 08 <prime256v1>  a1 44 03 42 00 <65 bytes, uncompressed>
    static func encode(_ key: P256.Signing.PrivateKey) -> [UInt8] {
        let curve: [UInt8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]
        return [0x30, 0x77, 0x02, 0x01, 0x01, 0x04, 0x20] + key.rawRepresentation
            + [0xa0, 0x0a, 0x06, 0x08] + curve
            + [0xa1, 0x44, 0x03, 0x42, 0x00] + key.publicKey.x963Representation
    }
}
