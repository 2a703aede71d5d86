@testable import DIGIdentity
import Foundation
import Testing

@Suite("Ethereum address")
struct EthereumAddressTests {
    /// The known answers for the empty message and "abc"; the others, around the length of a block, are those of
    /// PyCryptodome.
    @Test(
        "hashes as Keccak-256 does",
        arguments: [
            ([], "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
            (Array("abc".utf8), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
            ([UInt8](repeating: 0, count: 135), "29e3704feeca7fb9ba229f0fa04d9b36449cf3ad6e1d85d9cfff3a10df9abc3e"),
            ([UInt8](repeating: 0, count: 136), "3a5912a7c5faa06ee4fe906253e339467a9ce87d533c65be3c15cb231cdb25f9"),
            ([UInt8](repeating: 0, count: 200), "e1bb54e1bc3af48d01e5dbfc81015c98152a574f6428c6948aa4837c9c0baad9"),
        ])
    func keccak(message: [UInt8], digest: String) {
        #expect(Keccak256.hash(message) == bytes(digest))
    }

    /// EIP-55, "Test Cases".
    @Test(
        "has the checksum of EIP-55",
        arguments: [
            "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
            "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ])
    func checksum(address: String) throws {
        let parsed = try #require(EthereumAddress(bytes: bytes(String(address.dropFirst(2)))))
        #expect(parsed.description == address)
        #expect(EthereumAddress(address) == parsed)
        #expect(EthereumAddress(String(address.dropFirst(2))) == parsed)
        #expect(EthereumAddress(address.lowercased()) == parsed)
        #expect(EthereumAddress("0x" + address.dropFirst(2).uppercased()) == parsed)
    }

    @Test("is refused with one letter in the wrong case, and with a digit too many or too few")
    func mistyped() throws {
        let address = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
        for index in address.indices.dropFirst(2) where address[index].isLetter {
            let letter = address[index].isUppercase ? address[index].lowercased() : address[index].uppercased()
            #expect(EthereumAddress(address.replacingCharacters(in: index...index, with: letter)) == nil)
        }
        for text in ["", "0x", String(address.dropLast()), address + "0", "0x" + address, "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg"] {
            #expect(EthereumAddress(text) == nil)
        }
        #expect(EthereumAddress(bytes: [UInt8](repeating: 0, count: 19)) == nil)
    }

    /// The account of private key 1, that of web3's documentation, and the first of the Hardhat and Anvil test chains.
    @Test(
        "is the account of the same private key in a wallet",
        arguments: [
            ("0x0000000000000000000000000000000000000000000000000000000000000001", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"),
            ("4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318", "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"),
            ("0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        ])
    func account(privateKey: String, address: String) throws {
        let publicKey = try KeyPair(secp256k1PrivateKey: privateKey).publicKey
        #expect(publicKey.ethereumAddress == address)
        #expect(EthereumAddress(publicKey)?.description == address)
        let uncompressed = try #require(publicKey.uncompressedRepresentation)
        #expect(try PublicKey(secp256k1: uncompressed).ethereumAddress == address)
    }

    @Test("belongs to secp256k1 keys only")
    func others() throws {
        #expect(try KeyPair.generate(.ed25519).publicKey.ethereumAddress == nil)
        #expect(try KeyPair.generate(.ecdsa).publicKey.ethereumAddress == nil)
    }
}
