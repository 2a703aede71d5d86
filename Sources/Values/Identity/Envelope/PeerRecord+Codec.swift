import DIGMultiformats
import Foundation
import SwiftProtobuf

extension PeerRecord {
    /// Decodes the payload of an envelope.
    ///
    /// - Throws: ``IdentityError`` with `.invalidRecord`.
    init(decoding bytes: [UInt8]) throws(IdentityError) {
        let message: Dig_Identity_Wire_PeerRecord
        do { message = try Dig_Identity_Wire_PeerRecord(serializedBytes: bytes) } catch {
            throw IdentityError(.invalidRecord, "not a peer record")
        }
        guard message.addresses.count <= Self.maximumAddressCount else {
            throw IdentityError(.invalidRecord, "a peer record with \(message.addresses.count) addresses")
        }
        let peer: PeerID
        do throws(IdentityError) { peer = try PeerID(bytes: message.peerID) } catch {
            throw IdentityError(.invalidRecord, "a peer record of nobody: \(error.message)")
        }
        let addresses = message.addresses.compactMap { address -> Multiaddr? in
            do throws(MultiaddrError) { return try Multiaddr(bytes: address.multiaddr) } catch { return nil }
        }
        self.init(peer: peer, sequence: message.seq, addresses: addresses)
    }

    /// The payload of an envelope.
    var encoded: [UInt8] {
        var message = Dig_Identity_Wire_PeerRecord()
        message.peerID = Data(self.peer.bytes)
        message.seq = self.sequence
        message.addresses = self.addresses.prefix(Self.maximumAddressCount).map { address in
            var info = Dig_Identity_Wire_PeerRecord.AddressInfo()
            info.multiaddr = Data(address.bytes)
            return info
        }
        // Cannot fail: proto3 has no required fields and the message is far below two gigabytes.
        do { return try message.serializedBytes() } catch { preconditionFailure("\(error)") }
    }
}
