import Crypto
import DIGIdentity
import Testing

@testable import DIGKademlia

@Suite("Sealed letters")
struct LetterSealTests {
    @Test("only the recipient's key opens one, in the letter it was sealed for, unchanged")
    func seal() throws {
        let (alice, bob) = (try KeyPair.generate().peerID, try KeyPair.generate().peerID)
        let key = Curve25519.KeyAgreement.PrivateKey()
        let text = Array("hello".utf8)
        let sealed = try LetterSeal.close(text, for: key.publicKey, from: alice, to: bob)
        func letter(from sender: PeerID, to recipient: PeerID) -> Letter {
            Letter(
                sender: sender, recipient: recipient, sequence: 1, expiresAtMilliseconds: 1, encapsulatedKey: sealed.encapsulatedKey,
                ciphertext: sealed.ciphertext)
        }
        let good = letter(from: alice, to: bob)
        #expect(try LetterSeal.open(good, with: key) == text)
        #expect(throws: (any Error).self) { _ = try LetterSeal.open(good, with: Curve25519.KeyAgreement.PrivateKey()) }
        #expect(throws: (any Error).self) { _ = try LetterSeal.open(letter(from: bob, to: alice), with: key) }
        var changed = good
        changed.ciphertext[7] ^= 1
        #expect(throws: (any Error).self) { _ = try LetterSeal.open(changed, with: key) }
        for length in 0..<good.ciphertext.count where length % 16 == 0 {
            var short = good
            short.ciphertext = Array(good.ciphertext.prefix(length))
            #expect(throws: (any Error).self) { _ = try LetterSeal.open(short, with: key) }
        }
        var badKey = good
        badKey.encapsulatedKey.removeLast()
        #expect(throws: (any Error).self) { _ = try LetterSeal.open(badKey, with: key) }
    }

    @Test("two letters with the same text have nothing in common, and their length tells little")
    func privacy() throws {
        let peer = try KeyPair.generate().peerID
        let key = Curve25519.KeyAgreement.PrivateKey().publicKey
        let lengths = try [0, 1, 100, 254].map { try LetterSeal.close(Array(repeating: 1, count: $0), for: key, from: peer, to: peer).ciphertext.count }
        #expect(Set(lengths) == [256 + 16])
        #expect(try LetterSeal.close(Array(repeating: 1, count: 255), for: key, from: peer, to: peer).ciphertext.count == 512 + 16)
        let (a, b) = (try LetterSeal.close([1], for: key, from: peer, to: peer), try LetterSeal.close([1], for: key, from: peer, to: peer))
        #expect(a.ciphertext != b.ciphertext && a.encapsulatedKey != b.encapsulatedKey)
    }
}
