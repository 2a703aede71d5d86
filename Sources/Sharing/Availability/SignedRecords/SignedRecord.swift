public import DIGAnnouncement
public import DIGIdentity

/// A record as its author signed it, in either form: what proves who has said what, to anybody, without anybody's help.
public struct SignedRecord: Hashable, Sendable {
    /// In which form it was signed.
    public enum Form: Hashable, Sendable {
        /// An envelope with a ``DIGAnnouncement/ContentAnnouncement`` or an ``AvailabilityReport``.
        case envelope(SignedEnvelope)
        /// The seed's form.
        case json(SignedData)
    }

    /// What it says.
    public enum Statement: Hashable, Sendable {
        /// Its author has a content, or has it no longer.
        case announcement(ContentAnnouncement)
        /// Its author says that another does not have one.
        case report(AvailabilityReport)
    }

    /// The record itself, not yet checked.
    public var form: Form
    /// When this node received it, milliseconds since 1970: the time for which ``verified(names:)`` judges it. It is our word, not the author's.
    public var receivedMilliseconds: UInt64

    public init(_ form: Form, receivedMilliseconds: UInt64) {
        self.form = form
        self.receivedMilliseconds = receivedMilliseconds
    }

    /// What it says and who says so, if it was right when it was received. Needs nothing but the record.
    ///
    /// - Throws: ``AvailabilityError`` `.malformed`, `.limitExceeded`, `.unsupportedAlgorithm`, `.invalidSignature`, `.wrongPeer`, `.expired`, `.fromTheFuture`,
    ///   `.aboutItself`; in the seed's form also `.unknownPeer` and `.unknownContent`.
    public func verified(names: RecordNames = .init()) throws(AvailabilityError) -> (author: PublicKey, statement: Statement) {
        let now = self.receivedMilliseconds
        switch self.form {
        case .envelope(let envelope):
            if envelope.payloadType == AvailabilityReport.payloadType {
                return (envelope.publicKey, .report(try AvailabilityReport(verifying: envelope, nowMilliseconds: now)))
            }
            do throws(AnnouncementError) {
                return (envelope.publicKey, .announcement(try ContentAnnouncement(verifying: envelope, nowMilliseconds: now)))
            } catch { throw AvailabilityError(error) }
        case .json(let data):
            let statement: Statement =
                data.isReport ? .report(try data.report(names: names, nowMilliseconds: now)) : .announcement(try data.announcement(names: names, nowMilliseconds: now))
            return (try data.verifiedKey(), statement)
        }
    }
}

extension SignedData {
    /// Whether it has the fields of a report; otherwise it can only be an announcement.
    public var isReport: Bool { self.data["reportedPeerId"] != nil }
}

extension AvailabilityError {
    /// The same reason under the name that it has here.
    public init(_ error: AnnouncementError) {
        switch error {
        case .malformed: self = .malformed
        case .limitExceeded: self = .limitExceeded
        case .invalidSignature: self = .invalidSignature
        case .wrongPeer: self = .wrongPeer
        case .expired: self = .expired
        case .fromTheFuture: self = .fromTheFuture
        }
    }
}
