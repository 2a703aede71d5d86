import DIGIdentity
import DIGMultiformats
import DIGSTUN
import Foundation
import SwiftProtobuf

extension PeerConnectionCapabilities {
    /// The longest name of a method.
    private static let maximumNameByteCount = 64

    /// Decodes the payload of an envelope. Values and addresses that are not known here are left out.
    ///
    /// - Throws: `IdentityError` with `.invalidRecord`.
    init(decoding bytes: [UInt8]) throws(IdentityError) {
        guard bytes.count <= Self.maximumByteCount else { throw IdentityError(.invalidRecord, "capabilities of \(bytes.count) bytes") }
        let message: Dig_Capabilities_Capabilities
        do { message = try Dig_Capabilities_Capabilities(serializedBytes: bytes) } catch {
            throw IdentityError(.invalidRecord, "not a record of capabilities")
        }
        guard message.addresses.count <= Self.maximumAddressCount, message.methods.count <= Self.maximumMethodCount else {
            throw IdentityError(.invalidRecord, "capabilities with \(message.addresses.count) addresses and \(message.methods.count) methods")
        }
        let peer: PeerID
        do throws(IdentityError) { peer = try PeerID(bytes: message.peer) } catch {
            throw IdentityError(.invalidRecord, "capabilities of nobody: \(error.message)")
        }
        self.init(
            peer: peer, issuedAt: message.issuedMs, timeToLive: .seconds(Int64(message.ttlSeconds)), tier: ConnectionTier(message.tier),
            relays: message.relays,
            addresses: message.addresses.compactMap { entry in
                guard entry.address.count <= Self.maximumAddressByteCount else { return nil }
                do throws(MultiaddrError) {
                    return Address(try Multiaddr(bytes: entry.address), origin: AddressOrigin(entry.origin))
                } catch { return nil }
            },
            mapping: NATMapping(message.mapping), filtering: NATFiltering(message.filtering),
            methods: message.methods.compactMap { $0.utf8.count <= Self.maximumNameByteCount ? TraversalMethod(rawValue: $0) : nil })
    }

    /// The payload of an envelope.
    var encoded: [UInt8] {
        var message = Dig_Capabilities_Capabilities()
        message.peer = Data(self.peer.bytes)
        message.issuedMs = self.issuedAt
        message.ttlSeconds = UInt32(clamping: self.timeToLive.components.seconds)
        message.tier =
            switch self.tier {
            case .directCapable: .directCapable
            case .natRestricted: .natRestricted
            case .unknown: .unknown
            }
        message.relays = self.relays
        message.addresses = self.addresses.prefix(Self.maximumAddressCount).map { entry in
            var address = Dig_Capabilities_Capabilities.Address()
            address.address = Data(entry.address.bytes)
            address.origin =
                switch entry.origin {
                case .interface: .interface
                case .observed: .observed
                case .upnp: .upnp
                case .natPMP: .natPmp
                case .pcp: .pcp
                case .relay: .relay
                }
            return address
        }
        message.mapping =
            switch self.mapping {
            case .endpointIndependent: .endpointIndependent
            case .addressDependent: .address
            case .addressAndPortDependent: .addressAndPort
            case .unknown: .unknown
            }
        message.filtering =
            switch self.filtering {
            case .endpointIndependent: .endpointIndependent
            case .addressDependent: .address
            case .addressAndPortDependent: .addressAndPort
            case .unknown: .unknown
            }
        message.methods = self.methods.prefix(Self.maximumMethodCount).map(\.rawValue)
        // Cannot fail: proto3 has no required fields and the message is far below two gigabytes.
        do { return try message.serializedBytes() } catch { preconditionFailure("\(error)") }
    }
}

extension ConnectionTier {
    fileprivate init(_ tier: Dig_Capabilities_Capabilities.Tier) {
        self =
            switch tier {
            case .directCapable: .directCapable
            case .natRestricted: .natRestricted
            case .unknown, .UNRECOGNIZED: .unknown
            }
    }
}

extension AddressOrigin {
    fileprivate init(_ origin: Dig_Capabilities_Capabilities.Origin) {
        self =
            switch origin {
            case .observed: .observed
            case .upnp: .upnp
            case .natPmp: .natPMP
            case .pcp: .pcp
            case .relay: .relay
            case .interface, .UNRECOGNIZED: .interface
            }
    }
}

extension NATMapping {
    fileprivate init(_ dependence: Dig_Capabilities_Capabilities.Dependence) {
        self =
            switch dependence {
            case .endpointIndependent: .endpointIndependent
            case .address: .addressDependent
            case .addressAndPort: .addressAndPortDependent
            case .unknown, .UNRECOGNIZED: .unknown
            }
    }
}

extension NATFiltering {
    fileprivate init(_ dependence: Dig_Capabilities_Capabilities.Dependence) {
        self =
            switch dependence {
            case .endpointIndependent: .endpointIndependent
            case .address: .addressDependent
            case .addressAndPort: .addressAndPortDependent
            case .unknown, .UNRECOGNIZED: .unknown
            }
    }
}
