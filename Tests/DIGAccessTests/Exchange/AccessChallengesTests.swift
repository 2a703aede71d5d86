import DIGIdentity
import DIGNet
import Testing

@testable import DIGAccess

@Suite("Access challenges")
final class AccessChallengesTests {
    static let start: UInt64 = 1_700_000_000_000
    let host: PeerID
    let connection = ConnectionID(rawValue: 1)
    let other = ConnectionID(rawValue: 2)
    var challenges = AccessChallenges()

    init() throws { self.host = try KeyPair.generate().peerID }

    static func nonce(_ number: Int) -> [UInt8] { (0..<32).map { UInt8(truncatingIfNeeded: $0 < 8 ? number >> (8 * $0) : 1) } }

    func issue(_ number: Int = 0, to connection: ConnectionID? = nil) -> AccessChallenge {
        self.challenges.issue(to: connection ?? self.connection, from: self.host, nonce: Self.nonce(number), nowMilliseconds: Self.start)
    }

    func response(_ challenge: AccessChallenge, at time: UInt64 = start) -> AccessResponse { AccessResponse(nonce: challenge.nonce, timestampMilliseconds: time) }

    func take(_ response: AccessResponse, on connection: ConnectionID? = nil, at now: UInt64 = start) -> AccessError? {
        do throws(AccessError) {
            _ = try self.challenges.take(response, on: connection ?? self.connection, nowMilliseconds: now)
            return nil
        } catch {
            return error
        }
    }

    @Test("each is good for one answer")
    func once() {
        let response = self.response(self.issue())
        #expect(self.take(response) == nil)
        #expect(self.take(response) == .challengeReplayed)
        #expect(self.challenges.pendingCount == 0)
    }

    @Test("one that was not asked, or was asked on another connection, is not answered")
    func stranger() {
        let response = self.response(self.issue())
        #expect(self.take(response, on: self.other) == .challengeReplayed)
        #expect(self.take(AccessResponse(nonce: Self.nonce(9), timestampMilliseconds: Self.start)) == .challengeReplayed)
        // And the right one is still there.
        #expect(self.take(response) == nil)
    }

    @Test("a new one takes the place of the one before")
    func replaced() {
        let (first, second) = (self.issue(1), self.issue(2))
        #expect(self.take(self.response(first)) == .challengeReplayed)
        #expect(self.take(self.response(second)) == nil)
    }

    @Test("lasts 60 seconds, and no clock that goes back makes it younger", arguments: [
        (0, nil), (59_999, nil), (60_000, AccessError.challengeExpired), (3_600_000, .challengeExpired), (-1, .challengeExpired),
    ] as [(Int64, AccessError?)])
    func expires(_ offset: Int64, _ error: AccessError?) {
        let challenge = self.issue()
        let now = UInt64(Int64(Self.start) + offset)
        #expect(self.take(self.response(challenge, at: now), at: now) == error)
        // Used up in any case.
        #expect(self.take(self.response(challenge, at: Self.start)) == .challengeReplayed)
    }

    @Test("the clock of whoever answers may be 120 seconds off", arguments: [
        (0, nil), (120_000, nil), (-120_000, nil), (120_001, AccessError.clockSkew), (-120_001, .clockSkew),
    ] as [(Int64, AccessError?)])
    func skew(_ offset: Int64, _ error: AccessError?) {
        let challenge = self.issue()
        #expect(self.take(self.response(challenge, at: UInt64(Int64(Self.start) + offset))) == error)
    }

    @Test("numbers at the ends of their range are no trap")
    func extremes() {
        var challenge = self.issue()
        #expect(self.take(self.response(challenge, at: .max)) == .clockSkew)
        challenge = self.issue(1)
        #expect(self.take(self.response(challenge, at: 0)) == .clockSkew)
    }

    @Test("a closed connection owes nothing, and a flood of connections costs a bounded number")
    func bounded() {
        let first = self.issue()
        self.challenges.closed(self.connection)
        #expect(self.take(self.response(first)) == .challengeReplayed)
        var last = first
        for number in 0..<5000 { last = self.issue(number, to: ConnectionID(rawValue: UInt64(number))) }
        #expect(self.challenges.pendingCount == AccessChallenges.maximumPendingCount)
        #expect(self.take(self.response(last), on: ConnectionID(rawValue: 4999)) == nil)
        #expect(self.take(AccessResponse(nonce: Self.nonce(0), timestampMilliseconds: Self.start), on: ConnectionID(rawValue: 0)) == .challengeReplayed)
        // One connection that asks again and again, too.
        for number in 0..<5000 { _ = self.issue(number) }
        #expect(self.challenges.pendingCount <= AccessChallenges.maximumPendingCount)
    }
}
