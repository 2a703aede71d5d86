import DIGIdentity
import NIOCore

/// RPCs on the wire, without the length before them.
///
/// ```
/// RPC      1 subscriptions { 1 subscribe, 2 topicid }   2 publish { Message }   3 control
/// control  1 ihave { 1 topicID, 2 messageIDs }  2 iwant { 1 messageIDs }  3 graft { 1 topicID }
///          4 prune { 1 topicID, 2 peers { 1 peerID, 2 signedPeerRecord }, 3 backoff }
/// Message  1 from  2 data  3 seqno  4 topic  5 signature  6 key
/// ```
enum GossipCodec {
    // MARK: Encoding

    static func encode(_ rpc: GossipRPC) -> ByteBuffer {
        var bytes = ByteBuffer()
        for subscription in rpc.subscriptions {
            var fields = ByteBuffer()
            fields.writeProtobuf(field: 1, number: subscription.isSubscribed ? 1 : 0)
            fields.writeProtobuf(field: 2, bytes: subscription.topic.utf8)
            bytes.writeProtobuf(field: 1, message: fields)
        }
        for message in rpc.messages { bytes.writeProtobuf(field: 2, message: Self.encode(message)) }
        let control = Self.encodeControl(rpc)
        if control.readableBytes > 0 { bytes.writeProtobuf(field: 3, message: control) }
        return bytes
    }

    static func encode(_ message: GossipMessage) -> ByteBuffer {
        var fields = Self.signedFields(of: message)
        if !message.signature.isEmpty { fields.writeProtobuf(field: 5, bytes: message.signature) }
        if let key = message.key { fields.writeProtobuf(field: 6, bytes: key) }
        return fields
    }

    /// A message without signature and key, the fields in the order of their numbers.
    static func signedFields(of message: GossipMessage) -> ByteBuffer {
        var fields = ByteBuffer()
        fields.writeProtobuf(field: 1, bytes: message.publisher.bytes)
        if message.hasData { fields.writeProtobuf(field: 2, bytes: message.data) }
        fields.writeProtobuf(field: 3, bytes: message.sequenceNumber)
        fields.writeProtobuf(field: 4, bytes: message.topic.utf8)
        return fields
    }

    private static func encodeControl(_ rpc: GossipRPC) -> ByteBuffer {
        var control = ByteBuffer()
        for ihave in rpc.ihave {
            var fields = ByteBuffer()
            fields.writeProtobuf(field: 1, bytes: ihave.topic.utf8)
            for id in ihave.ids { fields.writeProtobuf(field: 2, bytes: id.bytes) }
            control.writeProtobuf(field: 1, message: fields)
        }
        if !rpc.iwant.isEmpty {
            var fields = ByteBuffer()
            for id in rpc.iwant { fields.writeProtobuf(field: 1, bytes: id.bytes) }
            control.writeProtobuf(field: 2, message: fields)
        }
        for topic in rpc.graft {
            var fields = ByteBuffer()
            fields.writeProtobuf(field: 1, bytes: topic.utf8)
            control.writeProtobuf(field: 3, message: fields)
        }
        for prune in rpc.prune {
            var fields = ByteBuffer()
            fields.writeProtobuf(field: 1, bytes: prune.topic.utf8)
            for peer in prune.peers {
                var info = ByteBuffer()
                info.writeProtobuf(field: 1, bytes: peer.peer.bytes)
                if let record = peer.record { info.writeProtobuf(field: 2, bytes: record) }
                fields.writeProtobuf(field: 2, message: info)
            }
            if let backoff = prune.backoffSeconds { fields.writeProtobuf(field: 3, number: backoff) }
            control.writeProtobuf(field: 4, message: fields)
        }
        return control
    }

    // MARK: Decoding

    /// Fields of other numbers are skipped: later versions of the protocol have some, and other software its own.
    static func decode(_ bytes: ByteBuffer) throws(GossipDecodingError) -> GossipRPC {
        var rpc = GossipRPC()
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1:
                guard rpc.subscriptions.count < GossipLimits.maximumSubscriptions else {
                    rpc.excessCount += 1
                    continue
                }
                try Self.subscription(value.bytes(), into: &rpc)
            case 2:
                guard rpc.messages.count + rpc.brokenMessageTopics.count < GossipLimits.maximumMessages else {
                    rpc.excessCount += 1
                    continue
                }
                try Self.message(value.bytes(), into: &rpc)
            case 3: try Self.control(value.bytes(), into: &rpc)
            default: continue
            }
        }
        return rpc
    }

    private static func subscription(_ bytes: ByteBuffer, into rpc: inout GossipRPC) throws(GossipDecodingError) {
        var (topic, isSubscribed) = (String?.none, false)
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1: isSubscribed = try value.number() != 0
            case 2: topic = try Self.topic(value.bytes())
            default: continue
            }
        }
        guard let topic else { return rpc.excessCount += 1 }
        rpc.subscriptions.append(.init(topic: topic, isSubscribed: isSubscribed))
    }

    /// Nil if it is empty or too long.
    private static func topic(_ bytes: ByteBuffer) throws(GossipDecodingError) -> String? {
        guard (1...GossipLimits.maximumTopicByteCount).contains(bytes.readableBytes) else { return nil }
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else { throw .invalidText }
        return text
    }

    private static func message(_ bytes: ByteBuffer, into rpc: inout GossipRPC) throws(GossipDecodingError) {
        var publisher: ByteBuffer?, data: ByteBuffer?, sequenceNumber: ByteBuffer?, signature: ByteBuffer?, key: ByteBuffer?
        var topic: String?
        var topicCount = 0
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1: publisher = try value.bytes()
            case 2: data = try value.bytes()
            case 3: sequenceNumber = try value.bytes()
            case 4:
                topicCount += 1
                topic = try Self.topic(value.bytes())
            case 5: signature = try value.bytes()
            case 6: key = try value.bytes()
            default: continue
            }
        }
        guard let topic else { return rpc.excessCount += 1 }
        // Since v1.1 a message has one topic. Of several, a signature can't say which way the sender has written them.
        guard topicCount == 1, let publisher, let peer = Self.peer(publisher), let sequenceNumber, let signature,
            (1...GossipLimits.maximumSequenceNumberByteCount).contains(sequenceNumber.readableBytes),
            (1...GossipLimits.maximumSignatureByteCount).contains(signature.readableBytes + (key?.readableBytes ?? 0)), signature.readableBytes > 0
        else { return rpc.brokenMessageTopics.append(topic) }
        rpc.messages.append(
            GossipMessage(
                publisher: peer, sequenceNumber: Array(sequenceNumber.readableBytesView), topic: topic, data: data.map { Array($0.readableBytesView) },
                signature: Array(signature.readableBytesView), key: key.flatMap { $0.readableBytes > 0 ? Array($0.readableBytesView) : nil }))
    }

    private static func peer(_ bytes: ByteBuffer) -> PeerID? {
        do throws(IdentityError) { return try PeerID(bytes: bytes.readableBytesView) } catch { return nil }
    }

    private static func control(_ bytes: ByteBuffer, into rpc: inout GossipRPC) throws(GossipDecodingError) {
        var offered = rpc.ihave.reduce(0) { $0 + $1.ids.count }
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1:
                guard rpc.ihave.count < GossipLimits.maximumIHave else {
                    rpc.excessCount += 1
                    continue
                }
                try Self.ihave(value.bytes(), offered: &offered, into: &rpc)
            case 2:
                var ids = ProtobufReader(try value.bytes())
                while let (number, value) = try ids.next() {
                    guard number == 1 else { continue }
                    Self.append(try value.bytes(), to: &rpc.iwant, limit: GossipLimits.maximumMessageIDs, excess: &rpc.excessCount)
                }
            case 3:
                guard rpc.graft.count < GossipLimits.maximumGrafts, let topic = try Self.onlyTopic(value.bytes()) else {
                    rpc.excessCount += 1
                    continue
                }
                rpc.graft.append(topic)
            case 4:
                guard rpc.prune.count < GossipLimits.maximumPrunes else {
                    rpc.excessCount += 1
                    continue
                }
                try Self.prune(value.bytes(), into: &rpc)
            default: continue
            }
        }
    }

    private static func append(_ bytes: ByteBuffer, to ids: inout [GossipMessageID], limit: Int, excess: inout Int) {
        guard ids.count < limit, (1...GossipLimits.maximumMessageIDByteCount).contains(bytes.readableBytes) else { return excess += 1 }
        ids.append(GossipMessageID(bytes: Array(bytes.readableBytesView)))
    }

    private static func onlyTopic(_ bytes: ByteBuffer) throws(GossipDecodingError) -> String? {
        var topic: String?
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            if number == 1 { topic = try Self.topic(value.bytes()) }
        }
        return topic
    }

    private static func ihave(_ bytes: ByteBuffer, offered: inout Int, into rpc: inout GossipRPC) throws(GossipDecodingError) {
        var topic: String?
        var ids: [GossipMessageID] = []
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1: topic = try Self.topic(value.bytes())
            case 2: Self.append(try value.bytes(), to: &ids, limit: GossipLimits.maximumMessageIDs - offered, excess: &rpc.excessCount)
            default: continue
            }
        }
        guard let topic else { return rpc.excessCount += 1 }
        offered += ids.count
        rpc.ihave.append(.init(topic: topic, ids: ids))
    }

    private static func prune(_ bytes: ByteBuffer, into rpc: inout GossipRPC) throws(GossipDecodingError) {
        var topic: String?
        var prune = GossipRPC.Prune(topic: "")
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1: topic = try Self.topic(value.bytes())
            case 2:
                guard prune.peers.count < GossipLimits.maximumExchangedPeers, let peer = try Self.exchangedPeer(value.bytes()) else {
                    rpc.excessCount += 1
                    continue
                }
                prune.peers.append(peer)
            case 3: prune.backoffSeconds = try value.number()
            default: continue
            }
        }
        guard let topic else { return rpc.excessCount += 1 }
        prune.topic = topic
        rpc.prune.append(prune)
    }

    private static func exchangedPeer(_ bytes: ByteBuffer) throws(GossipDecodingError) -> GossipRPC.ExchangedPeer? {
        var peer: PeerID?
        var record: [UInt8]?
        var reader = ProtobufReader(bytes)
        while let (number, value) = try reader.next() {
            switch number {
            case 1: peer = Self.peer(try value.bytes())
            case 2:
                let bytes = try value.bytes()
                if (1...GossipLimits.maximumPeerRecordByteCount).contains(bytes.readableBytes) { record = Array(bytes.readableBytesView) }
            default: continue
            }
        }
        return peer.map { GossipRPC.ExchangedPeer(peer: $0, record: record) }
    }
}
