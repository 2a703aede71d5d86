import DIGIdentity
import DIGMultiformats
import DIGTestSupport
import Foundation
import NIOCore
import SwiftProtobuf
import Testing

@testable import DIGKademlia

@Suite("Kademlia codec")
struct KademliaCodecTests {
    func message() throws -> KademliaMessage {
        var generator = SeededGenerator(seed: 7)
        return KademliaMessage(
            kind: .getProviders, key: [1, 2], record: ValueRecord(key: [3], value: [4, 5], timeReceived: "t"),
            closerPeers: [.init(peer: try .random(using: &generator), addresses: [address(1, 2, 3, 4)], connection: .connected)],
            providerPeers: [.init(peer: try .random(using: &generator), connection: .cannotConnect, statement: [9])])
    }

    @Test("writes the fields with the numbers of the specification")
    func pinned() throws {
        let message = try self.message()
        let (closer, provider) = (message.closerPeers[0].peer.bytes, message.providerPeers[0].peer.bytes)
        let fields: [[UInt8]] = [
            [0x08, 3],  // type = 1: GET_PROVIDERS
            [0x12, 2, 1, 2],  // key = 2
            [0x1a, 10, 0x0a, 1, 3, 0x12, 2, 4, 5, 0x2a, 1, UInt8(ascii: "t")],  // record = 3: key = 1, value = 2, timeReceived = 5
            // closerPeers = 8: id = 1, addrs = 2, connection = 3
            [0x42, 48, 0x0a, 34] + closer + [0x12, 8, 4, 1, 2, 3, 4, 6, 0x0f, 0xa1, 0x18, 1],
            // providerPeers = 9, with our statement = 100
            [0x4a, 42, 0x0a, 34] + provider + [0x18, 3, 0xa2, 6, 1, 9],
        ]
        let bytes = Array(KademliaCodec.encode(message).readableBytesView)
        #expect(bytes == Array(fields.joined()))
    }

    @Test("the kinds have the numbers of the specification", arguments: zip(KademliaMessage.Kind.allCases, 0...5))
    func kinds(kind: KademliaMessage.Kind, number: UInt8) throws {
        let bytes = Array(KademliaCodec.encode(KademliaMessage(kind: kind)).readableBytesView)
        #expect(bytes == (number == 0 ? [] : [0x08, number]))
        #expect(try KademliaCodec.decode(ByteBuffer(bytes: [0x08, number])).kind == kind)
    }

    @Test("reads what it wrote; of no strict prefix the same, and none makes it fail otherwise than by its error")
    func roundTrip() throws {
        let message = try self.message()
        let bytes = Array(KademliaCodec.encode(message).readableBytesView)
        #expect(try KademliaCodec.decode(ByteBuffer(bytes: bytes)) == message)
        for length in 0..<bytes.count {
            do throws(KademliaDecodingError) {
                let read = try KademliaCodec.decode(ByteBuffer(bytes: bytes.prefix(length)))
                #expect(read != message)
            } catch {
                #expect(error == .malformed)
            }
        }
    }

    @Test("unknown kinds, and keys and values over their limits, are refused")
    func limits() throws {
        #expect(throws: KademliaDecodingError.unknownKind(6)) { _ = try KademliaCodec.decode(ByteBuffer(bytes: [0x08, 6])) }
        func message(key: Int, recordKey: Int, value: Int) -> ByteBuffer {
            let bytes = { [UInt8](repeating: 1, count: $0) }
            return KademliaCodec.encode(KademliaMessage(kind: .putValue, key: bytes(key), record: ValueRecord(key: bytes(recordKey), value: bytes(value))))
        }
        _ = try KademliaCodec.decode(message(key: 256, recordKey: 256, value: KademliaLimits.maximumValueByteCount))
        #expect(throws: KademliaDecodingError.keyTooLong(257)) { _ = try KademliaCodec.decode(message(key: 257, recordKey: 1, value: 1)) }
        #expect(throws: KademliaDecodingError.keyTooLong(257)) { _ = try KademliaCodec.decode(message(key: 1, recordKey: 257, value: 1)) }
        let tooLong = KademliaLimits.maximumValueByteCount + 1
        #expect(throws: KademliaDecodingError.valueTooLong(tooLong)) { _ = try KademliaCodec.decode(message(key: 1, recordKey: 1, value: tooLong)) }
    }

    @Test("long lists are cut off; peers without a name and addresses that can't be read are left out")
    func lists() throws {
        var generator = SeededGenerator(seed: 8)
        var fields = Dig_Kad_Wire_Message()
        fields.type = .findNode
        for index in 0..<100 {
            var peer = Dig_Kad_Wire_Message.Peer()
            peer.id = index == 0 ? .init([1, 2, 3]) : .init(try PeerID.random(using: &generator).bytes)
            peer.addrs = [.init([0xff, 0xff])] + (0..<50).map { .init(address(1, 2, 3, $0).bytes) }
            peer.connection = .UNRECOGNIZED(17)
            peer.statement = .init(repeating: 1, count: index == 1 ? 4097 : 4096)
            fields.closerPeers.append(peer)
        }
        let message = try KademliaCodec.decode(ByteBuffer(bytes: try fields.serializedBytes() as [UInt8]))
        #expect(message.closerPeers.count == KademliaLimits.maximumCloserPeers - 1)
        #expect(message.closerPeers.allSatisfy { $0.addresses.count == KademliaLimits.maximumAddresses - 1 && $0.connection == .notConnected })
        #expect(message.closerPeers[0].statement == nil)
        #expect(message.closerPeers[1].statement?.count == 4096)
    }

    @Test("bytes changed at random are read or refused, nothing else")
    func mutations() throws {
        var generator = SeededGenerator(seed: 9)
        let bytes = Array(KademliaCodec.encode(try self.message()).readableBytesView)
        for _ in 0..<2000 {
            do throws(KademliaDecodingError) {
                _ = try KademliaCodec.decode(ByteBuffer(bytes: generator.mutated(bytes)))
            } catch {
                continue
            }
        }
    }
}
