import DIGContent
import DIGIdentity
import DIGMultiformats
import Testing

@testable import DIGAccess

/// Bytes that a second implementation has made from `docs/ACCESS.md` alone: `Interop/access/access.py`.
@Suite("Access vectors")
struct AccessVectorTests {
    static let signed = [
        "6469672d6e61742d746f6f6c732f617574682f320a016465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182830000017cdca1",
        "2f800000017cdca130cd2600240801122003a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b82600240801122029acbae1",
        "41bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd70024080112202543b92ff1095511476adc8369db6ddc933665a11978dda1404e",
        "e1066ca9559d20c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7",
    ].joined()
    static let signature = "9d509f16d971afa76dff5fb466421cb5db84e2d86bbf5ec1c8350ad78fe5eb309e4813f385aaa7e2c138d934c2613b581960a1b08b5c2ec276c40417a188e600"
    static let text = [
        "dig-token-CiQIARIgA6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbgSES9kaWcvYWNjZXNzLXRva2VuGrQBChAAAQIDBAUGBwgJCgsMDQ4PEiYAJA",
        "gBEiADoQe_884Qvh1w3RjnS8CZZ-TWMJulDV8d3IZkElUxuBogAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEaIAICAgICAgICAgICAgICAgICAg",
        "ICAgICAgICAgICAgICIiYAJAgBEiAprLrhQbzK8LIuGpTTTQvHNh5SbQv-EsiXlLyTIpZt1yiA34TlzS8wgLfJosMwKkBhF7BXvhIE5E8mRztcvTrRcbG-fS",
        "wDRWtBhOwfEbIhhQS2jCdHbqq2N88HUt1rHFd-5tGcn1gWfrhbL8GGiqkP",
    ].joined()

    static func key(_ first: UInt8) throws -> KeyPair { try KeyPair(ed25519Seed: (0..<32).map { first + $0 }) }

    @Test("what is signed, and the signature")
    func signed() throws {
        let (host, client, wallet) = (try Self.key(0), try Self.key(32), try Self.key(64))
        let challenge = AccessChallenge(nonce: (100..<132).map { $0 }, timestampMilliseconds: 1_635_789_123_456, host: host.peerID)
        let bytes = challenge.signedBytes(
            answeredMilliseconds: 1_635_789_123_789, prover: client.peerID, key: wallet.publicKey, channelBinding: (200..<232).map { $0 })
        #expect(Base16.encode(bytes) == Self.signed)
        #expect(Base16.encode(try wallet.signRecord(bytes)) == Self.signature)
    }

    @Test("a token, read and made")
    func token() throws {
        let (host, client) = (try Self.key(0), try Self.key(32))
        let contents = Set([1, 2].compactMap { SHA256Digest(bytes: [UInt8](repeating: $0, count: 32)) }.map { ContentHash(digest: $0) })
        let read = try AccessToken(parsing: Self.text)
        #expect(read.host == host.peerID && read.holder == client.peerID && read.contents == contents)
        #expect(read.id.bytes == (0..<16).map { $0 } && read.issuedMilliseconds == 1_635_789_123_456 && read.expiresMilliseconds == 1_667_325_123_456)
        let made = try AccessToken(
            id: read.id, contents: contents, holder: client.peerID, issuedMilliseconds: 1_635_789_123_456, expiresMilliseconds: 1_667_325_123_456, signedBy: host)
        #expect(made.text == Self.text)
    }
}
