import DIGIdentity
import NIOCore
import Testing

@testable import DIGGossipSub

/// Messages that py-libp2p 0.8.1 has signed (`dig-test`, sequence number 1, "hello" or nothing).
enum PyLibp2pMessages {
    static let all: [(name: String, data: String, hexadecimal: String)] = [
        (
            "Ed25519", "hello",
            "0a26002408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c120568656c6c6f1a080000000000000001220864" +
            "69672d746573742a40e08a691e9938ebc922bc778cbfe6a9e140093d81ad31f8f84c8e2e15641a6fcaca0c9f73d70a87cd176e213012093c8cae1d24" +
            "98d7169c18dbce848a22770301322408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        ),
        (
            "Ed25519, no data", "",
            "0a26002408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c12001a08000000000000000122086469672d7465" +
            "73742a40afffae263f9cabc1a1e904106ef86875e78dcbd67797fcb806d030df60b2522dde5251be526d81236b7e11e95ab16277f8611c727af954ca" +
            "12bc7f203b5ab705322408011220ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c"
        ),
        (
            "secp256k1", "hello",
            "0a2700250802122102df2309401b922a63d963307bbb157bb2aba77500f84e1e9fee1ef0a94dc6d085120568656c6c6f1a0800000000000000012208" +
            "6469672d746573742a46304402204e4aad15d7d0c73fc59ed6792c52d9bf46bff1b7770ad1305e227ac4110f56c002204c8b069e308e5140d105309e" +
            "742b78426f2d802d3a30abc121e3f433b7b3601632250802122102df2309401b922a63d963307bbb157bb2aba77500f84e1e9fee1ef0a94dc6d085"
        ),
        (
            "RSA", "hello",
            "0a221220cc06a69e4bdd63bbe88b7f062c14a960494156958a7971c7ef7a11b1d737b34a120568656c6c6f1a08000000000000000122086469672d74" +
            "6573742a8002227107f32158d5105909d9c96f8ff4faada7b227e0463735ebbc3e009dad0cf786cd5cd2e494aadb707fa502609c089e903aee797fc6" +
            "03848ac850bd487f2eef04b2c931633956cb0a23a9fdb5c28db617e9d163c475d2733226e0fbc34782611e0e881e2f6ae6c2b7c4beb59f4a3175b319" +
            "6173e43a243dac9cd9bfa2fa280046f553ac938883228cf7ac46f4e5af849c3dd6663c7b57dd0b97376ce4d5ace5320a4a281358025f04a229ce5325" +
            "d16dccec2e25684c7a988109f6027c8500aacb2048c160e247fe201f5d1628f7ee392fab1c1a8a7ba412ecad290c1e3d2ae4c630a603b937a2c9ae46" +
            "49ed7a72d66ee39436574018606007259d83aca9356932ab02080012a60230820122300d06092a864886f70d01010105000382010f003082010a0282" +
            "010100b55cd972cb681f4ec67db12e8ada0e6f82eae45b82e6b841db83cd4903bf5a8cd686078f5d9cb018a5c3f7cec383f59ce95371da9ee268fd42" +
            "f4503ab9ab84fdab78c62b1e0c2c3a0965df85f06571216df4d23948e35cc00b22e472b2b96d8d56420b03b9096d61c4421ae0e9fa7ef2e2d249fab3" +
            "da2031a37eedc29ba03a30bd8eaf0c5fa80767729b7a1524862b3d5e9e4eff4cb3bbe272061a95e69dd0f8d85573605775f01e0bf284fe675331a13e" +
            "0fc833d14bc6733c967dd3492f098d013b59b8f401c4f835029a85c829c32647cee2132f184c83bf50b50a2963f9f1094f1a6b0a20e2e4ad080aa3a2" +
            "5da4ca54f29f28e0d433c8f5c131b7ad9e1cf90203010001"
        ),
    ]

    static func bytes(_ hexadecimal: String) -> [UInt8] {
        let digits = Array(hexadecimal.utf8)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16) }
    }
}

@Suite("Gossipsub signatures")
struct SigningTests {
    private func received(_ message: [UInt8]) throws -> GossipMessage? {
        var rpc = ByteBuffer()
        rpc.writeProtobuf(field: 2, bytes: message)
        return try GossipCodec.decode(rpc).messages.first
    }

    @Test("what py-libp2p has signed is signed, and goes out as it came in", arguments: PyLibp2pMessages.all.indices)
    func pyLibp2p(_ index: Int) throws {
        let (_, data, hexadecimal) = PyLibp2pMessages.all[index]
        let bytes = PyLibp2pMessages.bytes(hexadecimal)
        let message = try #require(try self.received(bytes))
        #expect(message.topic == "dig-test" && message.data == Array(data.utf8) && message.sequenceNumber == [0, 0, 0, 0, 0, 0, 0, 1])
        #expect(message.isSigned)
        let again = Array(GossipCodec.encode(message).readableBytesView)
        #expect((again == bytes) as Bool)
    }

    @Test("a message signed with any kind of key is signed; its key goes along where the peer id does not hold it", arguments: KeyAlgorithm.allCases)
    func ownMessages(_ algorithm: KeyAlgorithm) throws {
        let identity = try KeyPair.generate(algorithm, rsaKeySize: 2048)
        let message = try GossipMessage.signed(topic: "t", data: [1, 2, 3], sequence: 0x0102_0304_0506_0708, with: identity)
        #expect(message.sequenceNumber == [1, 2, 3, 4, 5, 6, 7, 8] && message.publisher == identity.peerID)
        #expect((message.key == nil) == (identity.peerID.publicKey != nil))
        let encoded = Array(GossipCodec.encode(message).readableBytesView)
        #expect(encoded.count <= message.byteCount)
        let decoded = try #require(try self.received(encoded))
        #expect(decoded == message && decoded.isSigned)
        // With the key, also where none is needed.
        let withKey = GossipMessage(
            publisher: message.publisher, sequenceNumber: message.sequenceNumber, topic: "t", data: [1, 2, 3], signature: message.signature,
            key: identity.publicKey.protobufEncoded)
        #expect(withKey.isSigned)
    }

    @Test("with anything changed it is not signed any more")
    func changed() throws {
        let (identity, other) = (try KeyPair.generate(), try KeyPair.generate(.ecdsa))
        let right = try GossipMessage.signed(topic: "t", data: [1], sequence: 7, with: identity)
        func make(
            publisher: PeerID? = nil, sequence: [UInt8]? = nil, topic: String = "t", data: [UInt8]? = [1], signature: [UInt8]? = nil, key: [UInt8]? = nil
        ) -> GossipMessage {
            GossipMessage(
                publisher: publisher ?? right.publisher, sequenceNumber: sequence ?? right.sequenceNumber, topic: topic, data: data,
                signature: signature ?? right.signature, key: key)
        }
        #expect(make().isSigned)
        #expect(!make(publisher: try KeyPair.generate().peerID).isSigned)
        #expect(!make(sequence: [0, 0, 0, 0, 0, 0, 0, 8]).isSigned)
        #expect(!make(topic: "T").isSigned)
        #expect(!make(data: [2]).isSigned)
        #expect(!make(data: []).isSigned && !make(data: nil).isSigned)
        #expect(!make(signature: []).isSigned && !make(signature: Array(repeating: 0, count: 64)).isSigned)
        // Somebody else's key, no key at all, half a key.
        #expect(!make(key: other.publicKey.protobufEncoded).isSigned)
        #expect(!make(key: [1, 2, 3]).isSigned)
        let named = try GossipMessage.signed(topic: "t", data: [1], sequence: 7, with: other)
        #expect(named.isSigned)
        let keyless = GossipMessage(
            publisher: named.publisher, sequenceNumber: named.sequenceNumber, topic: "t", data: [1], signature: named.signature)
        #expect(!keyless.isSigned)
        // No data and empty data are different messages.
        let empty = try GossipMessage.signed(topic: "t", data: [], sequence: 7, with: identity)
        #expect(empty.isSigned)
        let absent = GossipMessage(
            publisher: empty.publisher, sequenceNumber: empty.sequenceNumber, topic: "t", data: nil, signature: empty.signature)
        #expect(!absent.isSigned)
    }

    @Test("fields that nobody knows are not passed on, and do not make a message invalid")
    func unknownFields() throws {
        let message = try GossipMessage.signed(topic: "t", data: [1], sequence: 7, with: try KeyPair.generate())
        var bytes = GossipCodec.encode(message)
        bytes.writeProtobuf(field: 99, bytes: Array(repeating: UInt8(1), count: 100))
        bytes.writeProtobuf(field: 100, number: 1)
        let decoded = try #require(try self.received(Array(bytes.readableBytesView)))
        #expect(decoded == message && decoded.isSigned)
    }
}
