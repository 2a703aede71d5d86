import DIGIdentity
import Foundation
import SwiftProtobuf

extension ReservationVoucher {
    /// Decodes the payload of an envelope.
    ///
    /// - Throws: `IdentityError` with `.invalidRecord`.
    init(decoding bytes: [UInt8]) throws(IdentityError) {
        let message: Dig_Relay_Wire_Voucher
        do { message = try Dig_Relay_Wire_Voucher(serializedBytes: bytes) } catch {
            throw IdentityError(.invalidRecord, "not a voucher")
        }
        guard message.hasRelay, message.hasPeer, message.hasExpiration else {
            throw IdentityError(.invalidRecord, "a voucher without relay, peer or end")
        }
        do throws(IdentityError) {
            self.init(
                relay: try PeerID(bytes: message.relay), peer: try PeerID(bytes: message.peer), expirationSeconds: message.expiration)
        } catch {
            throw IdentityError(.invalidRecord, "a voucher for nobody: \(error.message)")
        }
    }

    /// The payload of an envelope, fields in the order of their numbers.
    var encoded: [UInt8] {
        var message = Dig_Relay_Wire_Voucher()
        message.relay = Data(self.relay.bytes)
        message.peer = Data(self.peer.bytes)
        message.expiration = self.expirationSeconds
        // Serializing fails for missing required fields only, and there are none.
        do { return try message.serializedBytes() } catch { preconditionFailure("\(error)") }
    }
}
