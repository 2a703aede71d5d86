import DIGAnnouncement
import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import NIOCore
import Testing

@testable import DIGPeerExchange

@Suite("Peer exchange codec")
struct PeerExchangeCodecTests {
    static func requests() throws -> [PeerExchangeRequest] {
        let (one, other) = (try Somebody(), try Somebody())
        let announcement = try one.announcement(.test(1), at: 1).envelope.encoded
        return [
            .exchange(
                ExchangeMessage(
                    number: 7, record: try one.record().envelope, added: [try other.record().envelope], dropped: [one.peer, other.peer],
                    interests: [try .test(1), try .test(2)], announcements: [announcement])),
            .exchange(ExchangeMessage()),
            .announce(AnnounceMessage(record: try one.record().envelope, announcements: [announcement, announcement])),
            .announce(AnnounceMessage()),
            .query(try .test(3)),
        ]
    }

    static func response() throws -> PeerExchangeResponse {
        let one = try Somebody()
        let announcement = try one.announcement(.test(1), at: 1).envelope.encoded
        return PeerExchangeResponse(
            status: .restart, holders: [.init(announcement: announcement, record: try one.record().envelope), .init(announcement: announcement)])
    }

    func bytes(_ request: PeerExchangeRequest) -> [UInt8] { Array(PeerExchangeCodec.encode(request).readableBytesView) }

    @Test("writes what the protocol says")
    func pinned() throws {
        let key = try RendezvousKey.test(1)
        #expect(self.bytes(.query(key)) == [0x1a, 34, 0x0a, 32] + key.bytes)
        #expect(self.bytes(.exchange(ExchangeMessage())) == [0x0a, 0])
        #expect(self.bytes(.announce(AnnounceMessage())) == [0x12, 0])
        #expect(
            self.bytes(.exchange(ExchangeMessage(number: 300, record: [1], added: [[2], [3]], interests: [key], announcements: [[4, 5]])))
                == [0x0a, 50, 0x08, 0xac, 0x02, 0x12, 1, 1, 0x1a, 1, 2, 0x1a, 1, 3, 0x2a, 32] + key.bytes + [0x32, 2, 4, 5])
        #expect(self.bytes(.announce(AnnounceMessage(record: [1], announcements: [[2]]))) == [0x12, 6, 0x0a, 1, 1, 0x12, 1, 2])
        let peer = try Somebody().peer
        #expect(self.bytes(.exchange(ExchangeMessage(dropped: [peer]))) == [0x0a, UInt8(peer.bytes.count + 2), 0x22, UInt8(peer.bytes.count)] + peer.bytes)
        let response = PeerExchangeResponse(holders: [.init(announcement: [1], record: [2]), .init(announcement: [3])])
        #expect(Array(PeerExchangeCodec.encode(response).readableBytesView) == [0x12, 6, 0x0a, 1, 1, 0x12, 1, 2, 0x12, 3, 0x0a, 1, 3])
    }

    @Test("the states of an answer have their numbers", arguments: zip(PeerExchangeResponse.Status.allCases, 0...3))
    func statuses(status: PeerExchangeResponse.Status, number: UInt8) throws {
        #expect(Array(PeerExchangeCodec.encode(PeerExchangeResponse(status: status)).readableBytesView) == (number == 0 ? [] : [0x08, number]))
        #expect(try PeerExchangeCodec.decodeResponse(ByteBuffer(bytes: [0x08, number])).status == status)
        #expect(throws: PeerExchangeDecodingError.unknownStatus(4)) { try PeerExchangeCodec.decodeResponse(ByteBuffer(bytes: [0x08, 4])) }
    }

    @Test("reads what it wrote; of no strict prefix the same, and none makes it fail otherwise than by its error")
    func roundTrip() throws {
        for request in try Self.requests() {
            let bytes = self.bytes(request)
            #expect(try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: bytes)) == request)
            for length in 0..<bytes.count {
                do throws(PeerExchangeDecodingError) {
                    let isSame = try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: bytes.prefix(length))) == request
                    #expect(!isSame)
                } catch {}
            }
        }
        let response = try Self.response()
        let bytes = Array(PeerExchangeCodec.encode(response).readableBytesView)
        #expect(try PeerExchangeCodec.decodeResponse(ByteBuffer(bytes: bytes)) == response)
        for length in 0..<bytes.count {
            do throws(PeerExchangeDecodingError) {
                let isSame = try PeerExchangeCodec.decodeResponse(ByteBuffer(bytes: bytes.prefix(length))) == response
                #expect(!isSame)
            } catch {}
        }
    }

    @Test("fields of a later version are skipped, and a request of a later version is known as one")
    func laterVersions() throws {
        #expect(try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [])) == .unknown)
        #expect(try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x7a, 2, 1, 2])) == .unknown)
        // Number 5, and a field 15.
        let exchange = try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x0a, 5, 0x08, 5, 0x7a, 1, 9]))
        #expect(exchange == .exchange(ExchangeMessage(number: 5)))
    }

    @Test("lists, envelopes, names and keys over their limits are refused; at the limit they are read")
    func limits() throws {
        func exchange(_ change: (inout ExchangeMessage) -> Void) -> ByteBuffer {
            var message = ExchangeMessage()
            change(&message)
            return PeerExchangeCodec.encode(.exchange(message))
        }
        let peer = try Somebody().peer
        let key = try RendezvousKey.test(1)
        func many<Element>(_ element: Element, _ count: Int) -> [Element] { Array(repeating: element, count: count) }
        _ = try PeerExchangeCodec.decodeRequest(
            exchange {
                $0.added = many([1], 50)
                $0.dropped = many(peer, 50)
                $0.interests = many(key, 64)
                $0.announcements = many([1], 50)
                $0.record = many(1, 4096)
            })
        #expect(throws: PeerExchangeDecodingError.tooMany(51)) { try PeerExchangeCodec.decodeRequest(exchange { $0.added = many([1], 51) }) }
        #expect(throws: PeerExchangeDecodingError.tooMany(51)) { try PeerExchangeCodec.decodeRequest(exchange { $0.dropped = many(peer, 51) }) }
        #expect(throws: PeerExchangeDecodingError.tooMany(65)) { try PeerExchangeCodec.decodeRequest(exchange { $0.interests = many(key, 65) }) }
        #expect(throws: PeerExchangeDecodingError.tooMany(51)) { try PeerExchangeCodec.decodeRequest(exchange { $0.announcements = many([1], 51) }) }
        #expect(throws: PeerExchangeDecodingError.wrongLength(4097)) { try PeerExchangeCodec.decodeRequest(exchange { $0.record = many(1, 4097) }) }
        #expect(throws: PeerExchangeDecodingError.wrongLength(4097)) { try PeerExchangeCodec.decodeRequest(exchange { $0.added = [many(1, 4097)] }) }
        #expect(throws: PeerExchangeDecodingError.wrongLength(0)) { try PeerExchangeCodec.decodeRequest(exchange { $0.added = [[]] }) }
        let long = PeerExchangeLimits.maximumAnnouncementByteCount + 1
        #expect(throws: PeerExchangeDecodingError.wrongLength(long)) {
            try PeerExchangeCodec.decodeRequest(exchange { $0.announcements = [many(1, long)] })
        }
        let announce = { (count: Int) in PeerExchangeCodec.encode(.announce(AnnounceMessage(announcements: many([1], count)))) }
        _ = try PeerExchangeCodec.decodeRequest(announce(64))
        #expect(throws: PeerExchangeDecodingError.tooMany(65)) { try PeerExchangeCodec.decodeRequest(announce(65)) }
        let holders = { (count: Int) in PeerExchangeCodec.encode(PeerExchangeResponse(holders: many(.init(announcement: [1]), count))) }
        _ = try PeerExchangeCodec.decodeResponse(holders(32))
        #expect(throws: PeerExchangeDecodingError.tooMany(33)) { try PeerExchangeCodec.decodeResponse(holders(33)) }
        // A key of 31 bytes; no key; a name that is none, one that is too long.
        #expect(throws: PeerExchangeDecodingError.wrongLength(31)) {
            try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x1a, 33, 0x0a, 31] + many(1, 31)))
        }
        #expect(throws: PeerExchangeDecodingError.wrongLength(0)) { try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x1a, 0])) }
        #expect(throws: PeerExchangeDecodingError.malformed) { try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x0a, 3, 0x22, 1, 1])) }
        #expect(throws: PeerExchangeDecodingError.wrongLength(65)) {
            try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: [0x0a, 67, 0x22, 65] + many(1, 65)))
        }
    }

    @Test("the fullest messages that are written fit in a frame")
    func largest() throws {
        var budget = MessageBudget()
        var count = 0
        while budget.take(PeerExchangeLimits.maximumRecordByteCount) { count += 1 }
        #expect(count > PeerExchangeLimits.maximumPeersPerExchange)
        let peer = try Somebody().peer
        var message = ExchangeMessage(number: .max)
        message.dropped = Array(repeating: peer, count: 50)
        message.interests = Array(repeating: try .test(1), count: 64)
        message.added = Array(repeating: Array(repeating: 1, count: 4096), count: 50)
        message.announcements = Array(repeating: Array(repeating: 1, count: 4096), count: count - 51)
        #expect(PeerExchangeCodec.encode(.exchange(message)).readableBytes <= PeerExchangeLimits.maximumMessageByteCount)
    }

    @Test("bytes changed at random are read or refused, nothing else")
    func mutations() throws {
        var generator = SeededGenerator(seed: 9)
        let requests = try Self.requests().map(self.bytes)
        let response = Array(PeerExchangeCodec.encode(try Self.response()).readableBytesView)
        for index in 0..<3000 {
            do throws(PeerExchangeDecodingError) {
                _ = try PeerExchangeCodec.decodeRequest(ByteBuffer(bytes: generator.mutated(requests[index % requests.count])))
            } catch {}
            do throws(PeerExchangeDecodingError) {
                _ = try PeerExchangeCodec.decodeResponse(ByteBuffer(bytes: generator.mutated(response)))
            } catch {}
        }
    }
}
