import DIGAnnouncement
import DIGIdentity

/// Opens what peers send: signature, signer, time. Needs no state, so it is done under no lock.
struct EnvelopeVerifier {
    let nowMilliseconds: UInt64
    /// Only its counters of refused envelopes are used.
    private(set) var counters = PeerExchangeStatistics()

    init(nowMilliseconds: UInt64) { self.nowMilliseconds = nowMilliseconds }

    /// - Parameter owner: Whose it has to be; nil: anybody's.
    mutating func record(_ bytes: [UInt8], of owner: PeerID? = nil) -> SignedPeerRecord? {
        do throws(IdentityError) {
            let record = try SignedPeerRecord(decoding: bytes)
            guard owner == nil || record.peer == owner else {
                self.counters.wrongPeerRecords += 1
                return nil
            }
            return record
        } catch {
            self.count(error)
            return nil
        }
    }

    /// - Parameter owner: Whose it has to be; nil: anybody's.
    mutating func announcement(_ bytes: [UInt8], by owner: PeerID? = nil) -> SignedAnnouncement? {
        let envelope: SignedEnvelope
        do throws(IdentityError) { envelope = try SignedEnvelope(decoding: bytes) } catch {
            self.count(error)
            return nil
        }
        // Whose key it is costs less to see than whose signature.
        guard owner.map({ $0.matches(envelope.publicKey) }) ?? true else {
            self.counters.wrongPeerRecords += 1
            return nil
        }
        do throws(AnnouncementError) {
            let announcement = try ContentAnnouncement(verifying: envelope, nowMilliseconds: self.nowMilliseconds)
            return SignedAnnouncement(announcement: announcement, envelope: envelope)
        } catch {
            switch error {
            case .malformed, .limitExceeded: self.counters.invalidRecords += 1
            case .invalidSignature: self.counters.invalidSignatures += 1
            case .wrongPeer: self.counters.wrongPeerRecords += 1
            case .expired: self.counters.expiredAnnouncements += 1
            case .fromTheFuture: self.counters.futureAnnouncements += 1
            }
            return nil
        }
    }

    private mutating func count(_ error: IdentityError) {
        switch error.code {
        case .invalidSignature: self.counters.invalidSignatures += 1
        case .signerMismatch: self.counters.wrongPeerRecords += 1
        default: self.counters.invalidRecords += 1
        }
    }
}

extension PeerExchangeStatistics {
    /// Adds what an ``EnvelopeVerifier`` refused.
    mutating func add(_ counters: Self) {
        self.invalidRecords += counters.invalidRecords
        self.invalidSignatures += counters.invalidSignatures
        self.wrongPeerRecords += counters.wrongPeerRecords
        self.expiredAnnouncements += counters.expiredAnnouncements
        self.futureAnnouncements += counters.futureAnnouncements
    }
}
