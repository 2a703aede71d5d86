import Crypto
import DIGIdentity

@testable import DIGGun

/// A recipient's key.
struct Curve {
    private let key = Curve25519.KeyAgreement.PrivateKey()
    var publicKey: [UInt8] { Array(self.key.publicKey.rawRepresentation) }

    func open(_ text: String, _ recipient: PeerID, _ now: Double) throws -> [UInt8] {
        try GunSealedMessage.open(text, with: self.key, as: recipient, now: now)
    }
}
