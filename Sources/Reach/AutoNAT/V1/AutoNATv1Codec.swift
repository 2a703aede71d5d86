import DIGMultiformats
import NIOCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

private typealias Fields = Dig_Autonat_V1_AutoNATv1Fields

/// Messages of version 1 on the wire, without the length before them.
enum AutoNATv1Codec {
    /// Ours: a request with ``maximumAddressCount`` ordinary addresses has less than half of it.
    static let maximumByteCount = 16 * 1024
    /// Ours: addresses in a request.
    static let maximumAddressCount = 64
    /// Ours: of the text for a person that is kept, in characters.
    static let maximumTextCount = 200

    static func encode(_ message: AutoNATv1Message) -> ByteBuffer {
        var fields = Fields()
        switch message {
        case .dial(let peer, let addresses):
            fields.type = .dial
            if let peer { fields.dial.peer.id = .init(peer) }
            fields.dial.peer.addrs = addresses.prefix(Self.maximumAddressCount).map { .init($0.bytes) }
        case .response(let response):
            fields.type = .dialResponse
            fields.dialResponse.status =
                switch response.status {
                case .ok: .ok
                case .dialError: .eDialError
                case .dialRefused: .eDialRefused
                case .badRequest: .eBadRequest
                case .internalError: .eInternalError
                }
            if let text = response.text { fields.dialResponse.statusText = text }
            if let address = response.address { fields.dialResponse.addr = .init(address.bytes) }
        }
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try fields.serializedBytes() as [UInt8]) } catch { preconditionFailure("the message has no required field") }
    }

    static func decode(_ bytes: ByteBuffer) throws(AutoNATDecodingError) -> AutoNATv1Message {
        let fields: Fields
        do { fields = try Fields(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
        guard fields.hasType else { throw .missingField }
        switch fields.type {
        case .dial:
            guard fields.hasDial, fields.dial.hasPeer else { throw .missingField }
            let peer = fields.dial.peer
            guard peer.addrs.count <= Self.maximumAddressCount else { throw .tooManyAddresses }
            return .dial(peer: peer.hasID ? Array(peer.id) : nil, addresses: peer.addrs.compactMap { Multiaddr(readable: $0) })
        case .dialResponse:
            guard fields.hasDialResponse, fields.dialResponse.hasStatus else { throw .missingField }
            let response = fields.dialResponse
            let status: AutoNATv1Response.Status =
                switch response.status {
                case .ok: .ok
                case .eDialError: .dialError
                case .eDialRefused: .dialRefused
                case .eBadRequest: .badRequest
                case .eInternalError: .internalError
                }
            return .response(
                AutoNATv1Response(
                    status, text: response.hasStatusText ? String(response.statusText.prefix(Self.maximumTextCount)) : nil,
                    address: response.hasAddr ? Multiaddr(readable: response.addr) : nil))
        }
    }
}

extension Multiaddr {
    /// Nil for bytes that are no address that this program knows.
    init?(readable bytes: some Collection<UInt8>) {
        do throws(MultiaddrError) { try self.init(bytes: bytes) } catch { return nil }
    }
}
