/// What becomes of a status when something happens: the state machine of availability, as a total function.
///
///     AvailabilityTransition(from: .available, on: .reported(.low)).status == .suspect
///
/// The whole table is in `docs/AVAILABILITY.md`. The seed's diagram has its transitions; what it leaves open is filled as follows. A proof, given or
/// failed, decides in every state. A peer that cannot be asked is no liar: it becomes suspect, and unavailable only when many say so too. Time clears
/// doubt, but never an unavailable peer: that one has to announce itself and prove.
public struct AvailabilityTransition: Hashable, Sendable {
    /// What is to be done.
    public enum Action: String, Hashable, Sendable, CaseIterable {
        case none
        /// Ask the peer for a proof at once.
        case verifyNow
        /// Ask the peer for a proof in the rhythm of the status that it has now.
        case verifyLater
        /// Ask again soon: this try does not count as an answer.
        case retry
        /// Forget the reports there are: a proof has refuted them. Then as ``verifyLater``.
        case clearReports
    }

    /// What the status is now.
    public var status: PeerContentStatus
    /// What is to be done beside.
    public var action: Action

    public init(_ status: PeerContentStatus, _ action: Action = .none) {
        self.status = status
        self.action = action
    }

    /// The line of the table for one status and one event.
    public init(from status: PeerContentStatus, on event: AvailabilityEvent, rules: AvailabilityRules = .init()) {
        switch (status, event) {
        case (_, .proved): self.init(.available, .clearReports)
        case (_, .disproved), (_, .withdrawn): self.init(.unavailable)
        case (_, .unproved): self.init(status, .retry)
        case (_, .expired): self.init(status)

        case (.unavailable, .announced): self.init(rules.verifies ? .unavailable : .suspect, rules.verifies ? .verifyNow : .none)
        case (.unavailable, .reported), (.unavailable, .decayed), (.unavailable, .exhausted): self.init(.unavailable)

        case (_, .announced): self.init(status)
        case (_, .reported(.high)): self.init(rules.strictWhitepaper ? .unavailable : .suspect, rules.strictWhitepaper ? .none : .verifyNow)
        case (_, .exhausted(.high)): self.init(.unavailable)

        case (.available, .reported(.low)), (.available, .reported(.medium)): self.init(.suspect, .verifyLater)
        case (.available, .reported(.none)), (.available, .decayed): self.init(.available)
        case (.available, .exhausted): self.init(.suspect, .verifyLater)

        case (.suspect, .reported): self.init(.suspect)
        case (.suspect, .decayed(.none)): self.init(.available, .verifyLater)
        case (.suspect, .decayed): self.init(.suspect)
        case (.suspect, .exhausted): self.init(.suspect, .verifyLater)
        }
        if !rules.verifies, self.action != .clearReports { self.action = .none }
    }
}
