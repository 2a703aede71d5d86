import DIGIdentity
import DIGNet
import DequeModule

/// The challenges that a host waits for answers to: one for each connection, each good for one answer within 60 seconds.
///
/// A value. Time is a parameter: Unix time by the host's clock.
struct AccessChallenges: Sendable {
    /// Connections that may owe an answer at a time; of more, the one that was asked first is forgotten.
    static let maximumPendingCount = 1024

    private var pending: [ConnectionID: AccessChallenge] = [:]
    private var order: Deque<(connection: ConnectionID, nonce: [UInt8])> = []

    var pendingCount: Int { self.pending.count }

    /// Asks the peer of a connection. What it was asked before is not waited for any more.
    ///
    /// - Parameter nonce: 32 bytes that nobody can guess.
    mutating func issue(to connection: ConnectionID, from host: PeerID, nonce: [UInt8], nowMilliseconds: UInt64) -> AccessChallenge {
        let challenge = AccessChallenge(nonce: nonce, timestampMilliseconds: nowMilliseconds, host: host)
        self.pending[connection] = challenge
        self.order.append((connection, nonce))
        while self.pending.count > Self.maximumPendingCount || self.order.count > 2 * Self.maximumPendingCount, let oldest = self.order.popFirst() {
            if self.pending[oldest.connection]?.nonce == oldest.nonce { self.pending[oldest.connection] = nil }
        }
        return challenge
    }

    /// Takes the challenge that a peer answers. It is used up, whatever the answer is worth.
    ///
    /// - Throws: ``AccessError`` with `.challengeReplayed`, `.challengeExpired` or `.clockSkew`.
    mutating func take(_ response: AccessResponse, on connection: ConnectionID, nowMilliseconds now: UInt64) throws(AccessError) -> AccessChallenge {
        // Answered before, asked on another connection, or never: all the same to whoever tries.
        guard let challenge = self.pending[connection], challenge.nonce == response.nonce else { throw .challengeReplayed }
        self.pending[connection] = nil
        // A clock that was set back makes it old, too.
        guard now >= challenge.timestampMilliseconds, now - challenge.timestampMilliseconds < AccessChallenge.lifetimeMilliseconds else { throw .challengeExpired }
        let stamp = response.timestampMilliseconds
        guard (stamp > now ? stamp - now : now - stamp) <= AccessChallenge.maximumClockSkewMilliseconds else { throw .clockSkew }
        return challenge
    }

    mutating func closed(_ connection: ConnectionID) {
        self.pending[connection] = nil
    }
}
