import DIGAvailability
import DIGTransfer

/// What this node makes of what it has met with at a holder.
///
/// A report says that the holder claims what is not so: it is signed, believed here, and told to others. An experience stays here.
enum HolderVerdict: Hashable {
    case nothing
    case experience(Experience)
    case report(AvailabilityReport.Reason)

    /// Why a holder could not deliver.
    ///
    /// - Parameters:
    ///   - isClaimed: It, or discovery on its behalf, says that it has the content. Whoever never did has not lied.
    ///   - isOnline: Others could be reached, or delivered: otherwise it may be this node that is cut off.
    init(failure code: TransferError.Code, isClaimed: Bool, isOnline: Bool) {
        switch code {
        case .notFound: self = isClaimed ? .report(.notFound) : .nothing
        case .corruptChunk, .corruptHashes, .contentMismatch: self = .report(.corruptData)
        case .protocolViolation: self = .experience(.failed)
        case .stalled, .disconnected: self = isOnline ? .experience(.dropped) : .nothing
        // What a peer may refuse, what is ours, and what whoever made the content is to blame for.
        default: self = .nothing
        }
    }
}
