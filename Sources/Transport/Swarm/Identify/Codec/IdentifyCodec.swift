import DIGMultiformats
import DIGNet
import NIOCore
import SwiftProtobuf

/// Identify messages on the wire: each behind its length as a varint; a sender may spread one over several, which the receiver
/// merges in order (identify specification, "identify").
enum IdentifyCodec {
    /// Ours: for everything sent on one stream. Others send at most some 10 KiB.
    static let maximumByteCount = 64 * 1024
    /// go-libp2p and others read at most 2 KiB in the first message of a peer; a longer one is split before the signed record.
    static let firstMessageByteCount = 2048
    /// Ours: entries kept from lists.
    static let maximumAddressCount = 128
    static let maximumProtocolCount = 1024

    static func encode(_ message: IdentifyMessage) -> ByteBuffer {
        var fields = IdentifyFields(message)
        var parts = [Self.serialize(fields)]
        if parts[0].count > Self.firstMessageByteCount, fields.hasSignedPeerRecord {
            var record = IdentifyFields()
            record.signedPeerRecord = fields.signedPeerRecord
            fields.clearSignedPeerRecord()
            parts = [Self.serialize(fields), Self.serialize(record)]
        }
        var bytes = ByteBuffer()
        for part in parts {
            bytes.writeUnsignedVarint(UInt64(part.count))
            bytes.writeBytes(part)
        }
        return bytes
    }

    private static func serialize(_ fields: IdentifyFields) -> [UInt8] {
        // Serializing fails for missing required fields only, and there are none.
        do { return try fields.serializedBytes() } catch { preconditionFailure("an identify message has no required field") }
    }

    /// Reads all that came on a stream.
    static func decode(_ bytes: ByteBuffer) throws(IdentifyDecodingError) -> IdentifyMessage {
        guard bytes.readableBytes <= Self.maximumByteCount else { throw .tooLong }
        var bytes = bytes
        var fields = IdentifyFields()
        // An empty stream is no message; a message without fields is one.
        repeat {
            let length: UInt64
            do throws(VarintError) { length = try bytes.readUnsignedVarint() } catch { throw .truncated }
            guard let length = Int(exactly: length), let part = bytes.readBytes(length: length) else { throw .truncated }
            do { try fields.merge(serializedBytes: part) } catch { throw .malformed }
        } while bytes.readableBytes > 0
        return IdentifyMessage(fields)
    }
}

extension Dig_Identify_IdentifyFields {
    fileprivate init(_ message: IdentifyMessage) {
        self.init()
        if let publicKey = message.publicKey { self.publicKey = .init(publicKey) }
        self.listenAddrs = message.listenAddresses.map { .init($0.bytes) }
        self.protocols = message.protocols.map(\.rawValue)
        if let observed = message.observedAddress { self.observedAddr = .init(observed.bytes) }
        if let version = message.protocolVersion { self.protocolVersion = version }
        if let agent = message.agentVersion { self.agentVersion = agent }
        if let record = message.signedPeerRecord { self.signedPeerRecord = .init(record) }
    }
}

extension IdentifyMessage {
    /// Addresses that can't be read are left out: peers know protocols that this program does not.
    fileprivate init(_ fields: IdentifyFields) {
        self.init()
        if fields.hasPublicKey { self.publicKey = .init(fields.publicKey) }
        self.listenAddresses = fields.listenAddrs.prefix(IdentifyCodec.maximumAddressCount).compactMap(Self.address)
        self.protocols = fields.protocols.prefix(IdentifyCodec.maximumProtocolCount).map(ProtocolID.init(rawValue:))
        if fields.hasObservedAddr { self.observedAddress = Self.address(fields.observedAddr) }
        if fields.hasProtocolVersion { self.protocolVersion = fields.protocolVersion }
        if fields.hasAgentVersion { self.agentVersion = fields.agentVersion }
        if fields.hasSignedPeerRecord { self.signedPeerRecord = .init(fields.signedPeerRecord) }
    }

    private static func address(_ bytes: some Collection<UInt8>) -> Multiaddr? {
        do throws(MultiaddrError) { return try Multiaddr(bytes: bytes) } catch { return nil }
    }
}

private typealias IdentifyFields = Dig_Identify_IdentifyFields
