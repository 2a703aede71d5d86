import DIGIdentity
import Testing

@Suite("secp256k1 keys")
struct Secp256k1Tests {
    static let one = [UInt8](repeating: 0, count: 31) + [1]
    static let order = bytes("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
    static let generator = bytes("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    static let generatorUncompressed = bytes(
        "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")

    /// The RFC 6979 vectors that Bitcoin implementations share: SHA-256, low s.
    @Test(
        "signs with the nonce of RFC 6979 and low s",
        arguments: [
            (
                "Satoshi Nakamoto",
                "3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d802202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
            ),
            (
                "All those moments will be lost in time, like tears in rain. Time to die...",
                "30450221008600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b0220547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21"
            ),
        ])
    func signs(message: String, signature: String) throws {
        let pair = try KeyPair(secp256k1PrivateKey: Self.one)
        #expect(pair.publicKey.rawRepresentation == Self.generator)
        #expect(try pair.sign(Array(message.utf8)) == bytes(signature))
        #expect(pair.publicKey.isValidSignature(bytes(signature), for: Array(message.utf8)))
    }

    @Test("takes the other signature of a pair too, as other implementations make it")
    func highS() throws {
        // The first vector with n − s in place of s.
        let signature = bytes(
            "3046022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8022100dbbd3162d46e9f9bef7feb87c16dc13b4f6568a87f4e83f728e2443ba586675c")
        let key = try PublicKey(secp256k1: Self.generator)
        #expect(key.isValidSignature(signature, for: Array("Satoshi Nakamoto".utf8)))
    }

    @Test("signs anything with low s")
    func lowS() throws {
        let pair = try KeyPair.generate(.secp256k1)
        for number in 0..<64 {
            let signature = try pair.sign([UInt8(number)])
            let lengthOfR = Int(signature[3])
            // s begins behind its tag and length. Below half the order it never needs a leading zero byte.
            let s = signature.dropFirst(6 + lengthOfR)
            #expect(s.count <= 32)
            #expect(s.count < 32 || s.first ?? 0 <= 0x7f)
        }
    }

    @Test("takes both forms of a public key and keeps the compressed one")
    func forms() throws {
        let key = try PublicKey(secp256k1: Self.generatorUncompressed)
        #expect(key.rawRepresentation == Self.generator)
        #expect(try PublicKey(secp256k1: Self.generator) == key)
    }

    @Test("refuses what is no point of the curve, and second forms of one that is")
    func invalidPublicKeys() {
        var offCurve = Self.generatorUncompressed
        offCurve[64] ^= 1
        var hybrid = Self.generatorUncompressed
        hybrid[0] = 6
        let keys: [[UInt8]] = [
            [], [2], Self.generator + [0], [4] + Array(Self.generator.dropFirst()), [UInt8](repeating: 0, count: 33), offCurve, hybrid,
        ]
        for key in keys {
            #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(secp256k1: key) }
        }
        // The libp2p form is the compressed one only.
        #expect(throws: IdentityError(.invalidPublicKey, "")) { try PublicKey(.secp256k1, rawRepresentation: Self.generatorUncompressed) }
    }

    @Test("refuses numbers that are no private key")
    func invalidPrivateKeys() throws {
        for key in [[], [1], [UInt8](repeating: 0, count: 32), Self.order, [UInt8](repeating: 0xff, count: 32), Self.one + [0]] {
            #expect(throws: IdentityError(.invalidPrivateKey, "")) { try KeyPair(secp256k1PrivateKey: key) }
        }
        var largest = Self.order
        largest[31] -= 1
        _ = try KeyPair(secp256k1PrivateKey: largest)
    }
}
