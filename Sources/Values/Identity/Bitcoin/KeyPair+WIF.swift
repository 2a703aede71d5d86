import Crypto
import DIGMultiformats

extension KeyPair {
    /// Takes a private key as Bitcoin wallets export it ("wallet import format"): base 58 of
    ///
    ///     80 (test network: ef) | 32 bytes | 01 if the address is of the compressed key | first 4 bytes of SHA-256(SHA-256(all before))
    ///
    /// - Throws: ``IdentityError`` with `.invalidPrivateKey`.
    public init(walletImportFormat text: String) throws(IdentityError) {
        let problem = IdentityError(.invalidPrivateKey, "not a private key in wallet import format")
        guard text.utf8.count <= 52 else { throw problem }
        let bytes: [UInt8]
        do throws(MultibaseError) { bytes = try Base58BTC.decode(text) } catch { throw problem }
        guard bytes.count == 37 || bytes.count == 38 && bytes[33] == 1, bytes[0] == 0x80 || bytes[0] == 0xef else { throw problem }
        let checksum = SHA256.hash(data: Array(SHA256.hash(data: bytes.dropLast(4)))).prefix(4)
        guard checksum.elementsEqual(bytes.suffix(4)) else {
            throw IdentityError(.invalidPrivateKey, "the checksum of the private key is wrong: a digit is missing or mistyped")
        }
        try self.init(secp256k1PrivateKey: bytes[1..<33])
    }
}
