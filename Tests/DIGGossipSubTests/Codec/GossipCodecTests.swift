import DIGIdentity
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGGossipSub

@Suite("Gossipsub codec")
struct GossipCodecTests {
    private let peer: PeerID

    init() throws {
        var generator = SeededGenerator(seed: 1)
        self.peer = try .random(using: &generator)
    }

    private var everything: GossipRPC {
        GossipRPC(
            subscriptions: [.init(topic: "a", isSubscribed: true), .init(topic: "b", isSubscribed: false)],
            messages: [
                GossipMessage(publisher: self.peer, sequenceNumber: [1, 2], topic: "a", data: [3, 4, 5], signature: [6, 7], key: [8]),
                GossipMessage(publisher: self.peer, sequenceNumber: [2], topic: "a", data: nil, signature: [1]),
            ],
            ihave: [.init(topic: "a", ids: [.init(1), .init(2)]), .init(topic: "ü", ids: [])], iwant: [.init(3), .init(4)], graft: ["a", "c"],
            prune: [
                .init(topic: "a", backoffSeconds: 60, peers: [.init(peer: self.peer, record: [1, 2, 3]), .init(peer: self.peer, record: nil)]),
                .init(topic: "b", backoffSeconds: nil),
            ])
    }

    private func bytes(_ rpc: GossipRPC) -> [UInt8] { Array(GossipCodec.encode(rpc).readableBytesView) }
    private func decode(_ bytes: [UInt8]) throws -> GossipRPC { try GossipCodec.decode(ByteBuffer(bytes: bytes)) }

    @Test("the bytes are those of the specification's protobuf")
    func pinned() {
        #expect(
            self.bytes(GossipRPC(subscriptions: [.init(topic: "ab", isSubscribed: true)])) == [0x0a, 6, 0x08, 1, 0x12, 2, 0x61, 0x62])
        #expect(self.bytes(GossipRPC(subscriptions: [.init(topic: "a", isSubscribed: false)])) == [0x0a, 5, 0x08, 0, 0x12, 1, 0x61])
        let control = GossipRPC(
            ihave: [.init(topic: "a", ids: [.init(bytes: [9])])], iwant: [.init(bytes: [8])], graft: ["a"],
            prune: [.init(topic: "a", backoffSeconds: 300)])
        #expect(
            self.bytes(control) == [
                0x1a, 26,
                0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 9,
                0x12, 3, 0x0a, 1, 8,
                0x1a, 3, 0x0a, 1, 0x61,
                0x22, 6, 0x0a, 1, 0x61, 0x18, 0xac, 0x02,
            ])
        let message = GossipMessage(publisher: self.peer, sequenceNumber: [7], topic: "a", data: [5], signature: [6], key: [4])
        #expect(
            self.bytes(GossipRPC(messages: [message]))
                == [0x12, 51, 0x0a, 34] + self.peer.bytes + [0x12, 1, 5, 0x1a, 1, 7, 0x22, 1, 0x61, 0x2a, 1, 6, 0x32, 1, 4])
    }

    @Test("everything comes out as it went in")
    func roundTrip() throws {
        let decoded = try self.decode(self.bytes(self.everything))
        #expect(decoded == self.everything)
        #expect(try self.decode([]) == GossipRPC())
    }

    @Test("no strict prefix of an RPC is the same RPC; nothing traps")
    func prefixes() throws {
        let bytes = self.bytes(self.everything)
        var readable = 0
        for count in 0..<bytes.count {
            do throws(GossipDecodingError) {
                let rpc = try GossipCodec.decode(ByteBuffer(bytes: bytes.prefix(count)))
                #expect(rpc != self.everything)
                readable += 1
            } catch {
                #expect(error == .truncated)
            }
        }
        // Only between two fields of the RPC itself.
        #expect(readable == 5)
    }

    @Test("mutated RPCs are read or refused, and what is read keeps to the limits")
    func mutated() throws {
        var generator = SeededGenerator(seed: 42)
        let bytes = self.bytes(self.everything)
        var refused = 0
        for _ in 0..<20_000 {
            do {
                let rpc = try self.decode(generator.mutated(bytes))
                // What was understood is written and understood again.
                var again = try self.decode(self.bytes(rpc))
                again.brokenMessageTopics = rpc.brokenMessageTopics
                again.excessCount = rpc.excessCount
                #expect((again == rpc) as Bool)
            } catch is GossipDecodingError {
                refused += 1
            }
        }
        #expect(refused > 1000)
    }

    @Test("fields of the wrong kind, of number 0, with too long numbers, and text that is none are refused")
    func malformed() throws {
        let cases: [([UInt8], GossipDecodingError)] = [
            ([0x08, 1], .invalidField),  // subscriptions as a number
            ([0x02, 0], .invalidField),  // field 0
            ([0x0b], .invalidField),  // a group
            ([0x0c], .invalidField),
            ([0x0a, 2, 0x0a, 0], .invalidField),  // subscribe as bytes
            ([0x0a, 3, 0x12, 1, 0xff], .invalidText),
            ([0x0a], .truncated),
            ([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], .truncated),
            ([0x38] + Array(repeating: 0x80, count: 10), .invalidVarint),
            ([0x38, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02], .invalidVarint),
            ([0x39, 1, 2, 3], .truncated),
            ([0x3d, 1, 2, 3], .truncated),
        ]
        for (bytes, error) in cases {
            #expect(throws: error) { try self.decode(bytes) }
        }
        // Fields of later versions, of every kind.
        let later: [UInt8] = [0x38, 1, 0x39, 1, 2, 3, 4, 5, 6, 7, 8, 0x3d, 1, 2, 3, 4, 0x3a, 1, 9, 0x22, 2, 1, 1]
        #expect(try self.decode(later) == GossipRPC())
    }

    @Test("the largest backoff there can be is read as it is; one of eleven bytes is not")
    func backoff() throws {
        let rpc = GossipRPC(prune: [.init(topic: "a", backoffSeconds: .max)])
        #expect(try self.decode(self.bytes(rpc)) == rpc)
    }

    @Test("messages without publisher, number or signature, with two topics or too long a signature are broken; without a topic nobody wants them")
    func brokenMessages() throws {
        func encoded(_ change: (inout ByteBuffer) -> Void) -> [UInt8] {
            var message = ByteBuffer()
            change(&message)
            var rpc = ByteBuffer()
            rpc.writeProtobuf(field: 2, message: message)
            return Array(rpc.readableBytesView)
        }
        func write(_ message: inout ByteBuffer, except: UInt64?) {
            if except != 1 { message.writeProtobuf(field: 1, bytes: self.peer.bytes) }
            if except != 3 { message.writeProtobuf(field: 3, bytes: [1]) }
            if except != 4 { message.writeProtobuf(field: 4, bytes: [0x61]) }
            if except != 5 { message.writeProtobuf(field: 5, bytes: [1]) }
        }
        #expect(try self.decode(encoded { write(&$0, except: nil) }).messages.count == 1)
        for field: UInt64 in [1, 3, 5] {
            let rpc = try self.decode(encoded { write(&$0, except: field) })
            #expect(rpc.messages.isEmpty && rpc.brokenMessageTopics == ["a"], "\(field)")
        }
        let more: [(inout ByteBuffer) -> Void] = [
            { write(&$0, except: nil); $0.writeProtobuf(field: 4, bytes: [0x62]) },
            { write(&$0, except: nil); $0.writeProtobuf(field: 5, bytes: Array(repeating: UInt8(1), count: GossipLimits.maximumSignatureByteCount + 1)) },
            { write(&$0, except: nil); $0.writeProtobuf(field: 6, bytes: Array(repeating: UInt8(1), count: GossipLimits.maximumSignatureByteCount)) },
            { write(&$0, except: nil); $0.writeProtobuf(field: 3, bytes: Array(repeating: UInt8(1), count: 33)) },
            { write(&$0, except: nil); $0.writeProtobuf(field: 1, bytes: [1, 2, 3]) },
        ]
        for change in more { #expect(try self.decode(encoded(change)).brokenMessageTopics.count == 1) }
        let topicless = try self.decode(encoded { write(&$0, except: 4) })
        #expect(topicless.messages.isEmpty && topicless.brokenMessageTopics.isEmpty && topicless.excessCount == 1)
    }

    @Test("lists are cut off at their limits, what is left out is counted, and long names are left out")
    func limits() throws {
        var rpc = GossipRPC()
        rpc.subscriptions = (0..<10_000).map { .init(topic: "t\($0)", isSubscribed: true) }
        var decoded = try self.decode(self.bytes(rpc))
        #expect(decoded.subscriptions.count == GossipLimits.maximumSubscriptions && decoded.excessCount == 10_000 - GossipLimits.maximumSubscriptions)

        rpc = GossipRPC(ihave: [.init(topic: "a", ids: (0..<4000).map { .init($0) }), .init(topic: "b", ids: (0..<4000).map { .init($0) })])
        rpc.iwant = (0..<6000).map { .init($0) }
        decoded = try self.decode(self.bytes(rpc))
        #expect(decoded.ihave.map(\.ids.count) == [4000, 1000] && decoded.iwant.count == 5000 && decoded.excessCount == 4000)

        rpc = GossipRPC(graft: (0..<1000).map { "t\($0)" }, prune: (0..<1000).map { .init(topic: "t\($0)") })
        decoded = try self.decode(self.bytes(rpc))
        #expect(decoded.graft.count == 256 && decoded.prune.count == 256 && decoded.excessCount == 1488)

        rpc = GossipRPC(prune: [.init(topic: "a", peers: Array(repeating: .init(peer: self.peer, record: nil), count: 100))])
        #expect(try self.decode(self.bytes(rpc)).prune.first?.peers.count == GossipLimits.maximumExchangedPeers)

        let longest = String(repeating: "x", count: GossipLimits.maximumTopicByteCount)
        rpc = GossipRPC(
            subscriptions: [.init(topic: longest, isSubscribed: true), .init(topic: longest + "x", isSubscribed: true), .init(topic: "", isSubscribed: true)],
            iwant: [.init(bytes: Array(repeating: 1, count: 128)), .init(bytes: Array(repeating: 1, count: 129)), .init(bytes: [])])
        decoded = try self.decode(self.bytes(rpc))
        #expect(decoded.subscriptions.map(\.topic) == [longest] && decoded.iwant.count == 1 && decoded.excessCount == 4)
    }

    @Test("half a million empty messages in a mebibyte take no more memory than the limit on their number")
    func emptyMessages() throws {
        let bytes = (0..<(1 << 20) - 2).map { $0 % 2 == 0 ? UInt8(0x12) : 0 }
        let rpc = try self.decode(bytes)
        #expect(rpc.messages.isEmpty && rpc.brokenMessageTopics.isEmpty && rpc.excessCount == (1 << 19) - 1)
    }
}
