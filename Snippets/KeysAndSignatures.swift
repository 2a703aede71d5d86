// Keys of every kind, peer ids, and a signed record.
import DIGIdentity

for algorithm in [KeyAlgorithm.ed25519, .secp256k1] {
    let keyPair = try KeyPair.generate(algorithm)
    let signature = try keyPair.sign("hello".utf8)
    print(algorithm, keyPair.peerID, keyPair.publicKey.isValidSignature(signature, for: "hello".utf8))
    if let address = keyPair.publicKey.ethereumAddress { print("  Ethereum address:", address) }
}
