import DIGMultiformats
import NIOCore
import SwiftProtobuf

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// Messages of version 2 on the wire, without the length before them.
enum AutoNATv2Codec {
    /// As go-libp2p: for each message on a dial-request stream.
    static let maximumByteCount = 8192
    /// As go-libp2p: for each message on a dial-back stream.
    static let maximumDialBackByteCount = 1024
    /// As go-libp2p: addresses in a request.
    static let maximumAddressCount = 50
    /// autonat v2, "Amplification Attack Prevention": bytes of data in one message.
    static let maximumDataByteCount = 4096

    static func encode(_ message: AutoNATv2Message) -> ByteBuffer {
        var fields = Dig_Autonat_V2_Message()
        switch message {
        case .dialRequest(let request):
            fields.dialRequest = .with {
                $0.addrs = request.addresses.prefix(Self.maximumAddressCount).map { .init($0?.bytes ?? []) }
                $0.nonce = request.nonce
            }
        case .dialResponse(let response):
            fields.dialResponse = .with {
                $0.status =
                    switch response.status {
                    case .internalError: .eInternalError
                    case .requestRejected: .eRequestRejected
                    case .dialRefused: .eDialRefused
                    case .ok: .ok
                    }
                $0.addrIdx = UInt32(clamping: response.index)
                $0.dialStatus =
                    switch response.dialStatus {
                    case .unused: .unused
                    case .dialError: .eDialError
                    case .dialBackError: .eDialBackError
                    case .ok: .ok
                    }
            }
        case .dialDataRequest(let index, let byteCount):
            fields.dialDataRequest = .with {
                $0.addrIdx = UInt32(clamping: index)
                $0.numBytes = UInt64(clamping: byteCount)
            }
        case .dialData(let byteCount):
            fields.dialDataResponse = .with { $0.data = .init(count: min(max(0, byteCount), Self.maximumDataByteCount)) }
        }
        return Self.serialize(fields)
    }

    static func decode(_ bytes: ByteBuffer) throws(AutoNATDecodingError) -> AutoNATv2Message {
        let fields: Dig_Autonat_V2_Message = try Self.parse(bytes)
        switch fields.msg {
        case .dialRequest(let request):
            guard request.addrs.count <= Self.maximumAddressCount else { throw .tooManyAddresses }
            return .dialRequest(AutoNATv2DialRequest(addresses: request.addrs.map { Multiaddr(readable: $0) }, nonce: request.nonce))
        case .dialResponse(let response):
            let status: AutoNATv2DialResponse.Status =
                switch response.status {
                case .eInternalError: .internalError
                case .eRequestRejected: .requestRejected
                case .eDialRefused: .dialRefused
                case .ok: .ok
                case .UNRECOGNIZED: throw .valueOutOfRange
                }
            let dialStatus: AutoNATv2DialResponse.DialStatus =
                switch response.dialStatus {
                case .unused: .unused
                case .eDialError: .dialError
                case .eDialBackError: .dialBackError
                case .ok: .ok
                case .UNRECOGNIZED: throw .valueOutOfRange
                }
            return .dialResponse(AutoNATv2DialResponse(status, index: try Self.index(response.addrIdx), dialStatus: dialStatus))
        case .dialDataRequest(let request):
            guard let byteCount = Int(exactly: request.numBytes) else { throw .valueOutOfRange }
            return .dialDataRequest(index: try Self.index(request.addrIdx), byteCount: byteCount)
        case .dialDataResponse(let response):
            guard response.data.count <= Self.maximumDataByteCount else { throw .valueOutOfRange }
            return .dialData(byteCount: response.data.count)
        case nil:
            throw .missingField
        }
    }

    /// - Parameter nonce: Not zero, which is what a message without a nonce means.
    static func encodeDialBack(nonce: UInt64) -> ByteBuffer {
        Self.serialize(Dig_Autonat_V2_DialBack.with { $0.nonce = nonce })
    }

    static func decodeDialBack(_ bytes: ByteBuffer) throws(AutoNATDecodingError) -> UInt64 {
        let fields: Dig_Autonat_V2_DialBack = try Self.parse(bytes)
        guard fields.nonce != 0 else { throw .missingField }
        return fields.nonce
    }

    static func encodeDialBackResponse() -> ByteBuffer {
        Self.serialize(Dig_Autonat_V2_DialBackResponse())
    }

    /// Returns if the message says that the nonce was taken.
    static func decodeDialBackResponse(_ bytes: ByteBuffer) throws(AutoNATDecodingError) {
        let fields: Dig_Autonat_V2_DialBackResponse = try Self.parse(bytes)
        guard fields.status == .ok else { throw .valueOutOfRange }
    }

    private static func index(_ value: UInt32) throws(AutoNATDecodingError) -> Int {
        guard let index = Int(exactly: value), index < Self.maximumAddressCount else { throw .valueOutOfRange }
        return index
    }

    private static func parse<Fields: Message>(_ bytes: ByteBuffer) throws(AutoNATDecodingError) -> Fields {
        do { return try Fields(serializedBytes: Array(bytes.readableBytesView)) } catch { throw .malformed }
    }

    private static func serialize(_ fields: some Message) -> ByteBuffer {
        // Serializing fails for missing required fields only, and there are none.
        do { return ByteBuffer(bytes: try fields.serializedBytes() as [UInt8]) } catch { preconditionFailure("the message has no required field") }
    }
}
