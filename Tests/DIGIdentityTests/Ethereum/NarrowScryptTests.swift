import Crypto
@testable import DIGIdentity
import Testing

@Suite("scrypt with block size 1")
struct NarrowScryptTests {
    /// RFC 7914 §12, first vector: the first half of its 64 bytes, which is what 32 bytes of output are.
    @Test("is that of RFC 7914")
    func vector() throws {
        let key = try NarrowScrypt.deriveKey(password: [], salt: [], cost: 16, parallelization: 1).withUnsafeBytes { Array($0) }
        #expect(key == bytes("77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442"))
    }

    @Test("is the library's where both can be asked", arguments: [(2, 1), (1024, 3), (32_768, 2)])
    func library(cost: Int, parallelization: Int) throws {
        let keystore = try EthereumKeystore(
            sealing: try KeyPair.generate(.secp256k1), password: "password", derivation: .scrypt(cost: cost, blockSize: 1, parallelization: parallelization))
        let key = try NarrowScrypt.deriveKey(password: Array("password".utf8), salt: keystore.salt, cost: cost, parallelization: parallelization)
            .withUnsafeBytes { Array($0) }
        #expect(Keccak256.hash(key[16..<32] + keystore.ciphertext) == keystore.mac)
    }
}
