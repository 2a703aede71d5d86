import DIGIdentity
import DIGMultiformats
import Foundation
import NIOCore
import SwiftProtobuf

/// Messages on the wire, without the length before them.
enum KademliaCodec {
    static func encode(_ message: KademliaMessage) -> ByteBuffer {
        var fields = Dig_Kad_Wire_Message()
        fields.type =
            switch message.kind {
            case .putValue: .putValue
            case .getValue: .getValue
            case .addProvider: .addProvider
            case .getProviders: .getProviders
            case .findNode: .findNode
            case .ping: .ping
            }
        fields.key = Data(message.key)
        if let record = message.record {
            fields.record.key = Data(record.key)
            fields.record.value = Data(record.value)
            fields.record.timeReceived = record.timeReceived
        }
        fields.closerPeers = message.closerPeers.prefix(KademliaLimits.maximumCloserPeers).map(Self.peer)
        fields.providerPeers = message.providerPeers.prefix(KademliaLimits.maximumProviderPeers).map(Self.peer)
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try fields.serializedBytes() as [UInt8]) } catch { preconditionFailure("\(error)") }
    }

    /// Peers without a name and addresses of unknown kinds are left out, and what is beyond ``KademliaLimits``.
    static func decode(_ bytes: ByteBuffer) throws(KademliaDecodingError) -> KademliaMessage {
        let fields: Dig_Kad_Wire_Message
        do { fields = try Dig_Kad_Wire_Message(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        let kind: KademliaMessage.Kind =
            switch fields.type {
            case .putValue: .putValue
            case .getValue: .getValue
            case .addProvider: .addProvider
            case .getProviders: .getProviders
            case .findNode: .findNode
            case .ping: .ping
            case .UNRECOGNIZED(let value): throw .unknownKind(value)
            }
        var record: ValueRecord?
        if fields.hasRecord {
            guard fields.record.key.count <= KademliaLimits.maximumKeyByteCount else { throw .keyTooLong(fields.record.key.count) }
            guard fields.record.value.count <= KademliaLimits.maximumValueByteCount else { throw .valueTooLong(fields.record.value.count) }
            let time = fields.record.timeReceived
            record = ValueRecord(
                key: Array(fields.record.key), value: Array(fields.record.value),
                timeReceived: time.utf8.count <= KademliaLimits.maximumTimeByteCount ? time : "")
        }
        guard fields.key.count <= KademliaLimits.maximumKeyByteCount else { throw .keyTooLong(fields.key.count) }
        return KademliaMessage(
            kind: kind, key: Array(fields.key), record: record,
            closerPeers: fields.closerPeers.prefix(KademliaLimits.maximumCloserPeers).compactMap(Self.peer),
            providerPeers: fields.providerPeers.prefix(KademliaLimits.maximumProviderPeers).compactMap(Self.peer))
    }

    private static func peer(_ peer: KademliaMessage.Peer) -> Dig_Kad_Wire_Message.Peer {
        var fields = Dig_Kad_Wire_Message.Peer()
        fields.id = Data(peer.peer.bytes)
        fields.addrs = peer.addresses.prefix(KademliaLimits.maximumAddresses).map { Data($0.bytes) }
        fields.connection =
            switch peer.connection {
            case .notConnected: .notConnected
            case .connected: .connected
            case .canConnect: .canConnect
            case .cannotConnect: .cannotConnect
            }
        if let statement = peer.statement { fields.statement = Data(statement) }
        return fields
    }

    private static func peer(_ fields: Dig_Kad_Wire_Message.Peer) -> KademliaMessage.Peer? {
        let peer: PeerID
        do throws(IdentityError) { peer = try PeerID(bytes: fields.id) } catch { return nil }
        let connection: KademliaMessage.ConnectionType =
            switch fields.connection {
            case .notConnected, .UNRECOGNIZED: .notConnected
            case .connected: .connected
            case .canConnect: .canConnect
            case .cannotConnect: .cannotConnect
            }
        let hasStatement = !fields.statement.isEmpty && fields.statement.count <= KademliaLimits.maximumStatementByteCount
        return KademliaMessage.Peer(
            peer: peer, addresses: fields.addrs.prefix(KademliaLimits.maximumAddresses).compactMap(Self.address), connection: connection,
            statement: hasStatement ? Array(fields.statement) : nil)
    }

    static func address(_ bytes: Data) -> Multiaddr? {
        do throws(MultiaddrError) { return try Multiaddr(bytes: bytes) } catch { return nil }
    }
}
