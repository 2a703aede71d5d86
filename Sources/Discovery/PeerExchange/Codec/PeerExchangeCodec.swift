import DIGAnnouncement
import DIGIdentity
import Foundation
import NIOCore
import SwiftProtobuf

/// Messages on the wire, without the length before them.
enum PeerExchangeCodec {
    // MARK: Requests

    static func encode(_ request: PeerExchangeRequest) -> ByteBuffer {
        var fields = Dig_Pex_Wire_Request()
        switch request {
        case .exchange(let exchange):
            fields.exchange.number = exchange.number
            if let record = exchange.record { fields.exchange.record = Data(record) }
            fields.exchange.added = exchange.added.map { Data($0) }
            fields.exchange.dropped = exchange.dropped.map { Data($0.bytes) }
            fields.exchange.interests = exchange.interests.map { Data($0.bytes) }
            fields.exchange.announcements = exchange.announcements.map { Data($0) }
            // Also if nothing was set, so that the kind is on the wire.
            fields.body = .exchange(fields.exchange)
        case .announce(let announce):
            if let record = announce.record { fields.announce.record = Data(record) }
            fields.announce.announcements = announce.announcements.map { Data($0) }
            fields.body = .announce(fields.announce)
        case .query(let key):
            fields.query.key = Data(key.bytes)
        case .unknown:
            break
        }
        return Self.serialize(fields)
    }

    static func decodeRequest(_ bytes: ByteBuffer) throws(PeerExchangeDecodingError) -> PeerExchangeRequest {
        let fields: Dig_Pex_Wire_Request
        do { fields = try Dig_Pex_Wire_Request(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        switch fields.body {
        case .exchange(let body):
            var exchange = ExchangeMessage(number: body.number)
            exchange.record = try Self.record(body.record)
            exchange.added = try Self.list(body.added, PeerExchangeLimits.maximumPeersPerExchange, upTo: PeerExchangeLimits.maximumRecordByteCount)
            guard body.dropped.count <= PeerExchangeLimits.maximumPeersPerExchange else { throw .tooMany(body.dropped.count) }
            for name in body.dropped { exchange.dropped.append(try Self.peer(name)) }
            guard body.interests.count <= PeerExchangeLimits.maximumInterests else { throw .tooMany(body.interests.count) }
            for key in body.interests { exchange.interests.append(try Self.key(key)) }
            exchange.announcements = try Self.list(
                body.announcements, PeerExchangeLimits.maximumAnnouncementsPerExchange, upTo: PeerExchangeLimits.maximumAnnouncementByteCount)
            return .exchange(exchange)
        case .announce(let body):
            var announce = AnnounceMessage(record: try Self.record(body.record))
            announce.announcements = try Self.list(
                body.announcements, PeerExchangeLimits.maximumAnnouncementsPerAnnounce, upTo: PeerExchangeLimits.maximumAnnouncementByteCount)
            return .announce(announce)
        case .query(let body):
            return .query(try Self.key(body.key))
        case nil:
            return .unknown
        }
    }

    // MARK: Responses

    static func encode(_ response: PeerExchangeResponse) -> ByteBuffer {
        var fields = Dig_Pex_Wire_Response()
        fields.status =
            switch response.status {
            case .taken: .ok
            case .busy: .busy
            case .restart: .restart
            case .unsupported: .unsupported
            }
        fields.holders = response.holders.map { holder in
            var entry = Dig_Pex_Wire_Holder()
            entry.announcement = Data(holder.announcement)
            if let record = holder.record { entry.record = Data(record) }
            return entry
        }
        return Self.serialize(fields)
    }

    static func decodeResponse(_ bytes: ByteBuffer) throws(PeerExchangeDecodingError) -> PeerExchangeResponse {
        let fields: Dig_Pex_Wire_Response
        do { fields = try Dig_Pex_Wire_Response(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        var response = PeerExchangeResponse()
        switch fields.status {
        case .ok: response.status = .taken
        case .busy: response.status = .busy
        case .restart: response.status = .restart
        case .unsupported: response.status = .unsupported
        case .UNRECOGNIZED(let value): throw .unknownStatus(value)
        }
        guard fields.holders.count <= PeerExchangeLimits.maximumHolders else { throw .tooMany(fields.holders.count) }
        for entry in fields.holders {
            let announcement = try Self.envelope(entry.announcement, upTo: PeerExchangeLimits.maximumAnnouncementByteCount)
            response.holders.append(.init(announcement: announcement, record: try Self.record(entry.record)))
        }
        return response
    }

    // MARK: Parts

    private static func serialize(_ fields: some SwiftProtobuf.Message) -> ByteBuffer {
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try fields.serializedBytes() as [UInt8]) } catch { preconditionFailure("\(error)") }
    }

    private static func record(_ bytes: Data) throws(PeerExchangeDecodingError) -> [UInt8]? {
        guard !bytes.isEmpty else { return nil }
        return try Self.envelope(bytes, upTo: PeerExchangeLimits.maximumRecordByteCount)
    }

    private static func list(_ list: [Data], _ limit: Int, upTo byteCount: Int) throws(PeerExchangeDecodingError) -> [[UInt8]] {
        guard list.count <= limit else { throw .tooMany(list.count) }
        var envelopes: [[UInt8]] = []
        envelopes.reserveCapacity(list.count)
        for bytes in list { envelopes.append(try Self.envelope(bytes, upTo: byteCount)) }
        return envelopes
    }

    private static func envelope(_ bytes: Data, upTo byteCount: Int) throws(PeerExchangeDecodingError) -> [UInt8] {
        guard (1...byteCount).contains(bytes.count) else { throw .wrongLength(bytes.count) }
        return Array(bytes)
    }

    private static func key(_ bytes: Data) throws(PeerExchangeDecodingError) -> RendezvousKey {
        guard let key = RendezvousKey(bytes: Array(bytes)) else { throw .wrongLength(bytes.count) }
        return key
    }

    private static func peer(_ bytes: Data) throws(PeerExchangeDecodingError) -> PeerID {
        guard bytes.count <= PeerExchangeLimits.maximumPeerByteCount else { throw .wrongLength(bytes.count) }
        do throws(IdentityError) { return try PeerID(bytes: bytes) } catch { throw .malformed }
    }
}
