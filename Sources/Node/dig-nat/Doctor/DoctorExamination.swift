import DIGAutoNAT
import DIGCircuitRelay
import DIGIdentity
import DIGNatTools
import DIGNet
import DIGPortMapping
import DIGSwarm
import DIGTraversal
import Synchronization

/// Finds out what can be found out: asks the contacts, and waits for them, for the router and for the STUN servers.
final class DoctorExamination: Sendable {
    private static let tag = "doctor"
    /// Ours: how often it is looked whether something is known.
    private static let pace: Duration = .milliseconds(100)
    /// Ours: relays have this long to give a place when everything else is known, and those who tell whom they see.
    private static let patience: Duration = .seconds(3)
    /// Ours: what the stranger's ordinary connection takes at the end; a test that is not over by then is not waited for.
    private static let secondVisit: Duration = .seconds(5)

    private let network: NetworkManager
    private let contacts: DoctorContacts
    private let wantsUDP: Bool
    private let outcomes: Mutex<[PeerID: DiagnosisCircumstances.Contact.Outcome]>
    /// Whether the stranger need not be one any more.
    private let isStrangerDone: Mutex<Bool>
    /// Who got through, as it was known before the stranger was visited again.
    private let verdict = Mutex<ReachabilitySnapshot?>(nil)

    init(_ network: NetworkManager, contacts: DoctorContacts) {
        self.network = network
        self.contacts = contacts
        self.wantsUDP = !network.configuration.traversal.stunServers.isEmpty && network.udp != nil
        self.outcomes = Mutex([:])
        self.isStrangerDone = Mutex(contacts.stranger == nil)
    }

    /// What came of each contact so far.
    var results: [DiagnosisCircumstances.Contact] {
        let outcomes = self.outcomes.withLock { $0 }
        return self.contacts.all.map { contact in
            var result = DiagnosisCircumstances.Contact(peer: contact.peer, addresses: contact.addresses, outcome: outcomes[contact.peer] ?? .pending)
            if let info = self.network.swarm.identify(of: contact.peer) {
                result.tests = info.protocols.contains(AutoNAT.dialRequestProtocolID) || info.protocols.contains(AutoNAT.protocolID)
            }
            return result
        }
    }

    /// What is known of the network.
    ///
    /// What the stranger sees at its second visit is one more address to be tested, though no test of it can show anything new: a verdict stands.
    var environment: NATEnvironment {
        get async {
            var environment = await self.network.traversal.environment
            guard environment.tier == .unknown, var verdict = self.verdict.withLock({ $0 }), verdict.overall != .unknown else { return environment }
            verdict.tcpMapping = environment.reachability.tcpMapping
            environment.reachability = verdict
            return environment
        }
    }

    /// Returns when everything is known, after `timeout`, or when the task is cancelled.
    func run(timeout: Duration) async {
        let end = ContinuousClock.now + timeout
        await withTaskGroup(of: Bool.self) { group in
            for contact in self.contacts.all {
                group.addTask {
                    if contact.peer == self.contacts.stranger {
                        await self.askStranger(contact, before: end - Self.secondVisit)
                    } else {
                        await self.connect(contact, purpose: .connect)
                    }
                    return false
                }
            }
            group.addTask {
                await self.settle(before: end)
                return true
            }
            for await isOver in group where isOver { break }
            group.cancelAll()
        }
        for contact in self.contacts.all { self.network.swarm.unprotect(contact.peer, tag: Self.tag) }
    }

    // MARK: Contacts

    /// - Returns: The connection; nil if it failed.
    @discardableResult
    private func connect(_ contact: DoctorContacts.Contact, purpose: DialPurpose) async -> (any Connection)? {
        self.network.swarm.protect(contact.peer, tag: Self.tag)
        var options = DialOptions()
        options.purpose = purpose
        do {
            let connection = try await self.network.swarm.connect(to: contact.peer, addresses: contact.addresses, options: options)
            self.outcomes.withLock { $0[contact.peer] = .connected }
            return connection
        } catch is CancellationError {
            return nil
        } catch {
            self.outcomes.withLock { $0[contact.peer] = .failed(Self.cause(error)) }
            return nil
        }
    }

    /// Without the names that are said before it.
    static func cause(_ error: any Error) -> String {
        guard let dial = (error as? ConnectionError)?.cause as? DialError else { return "\(error)" }
        guard dial.attempts.count == 1 else { return "\(dial)" }
        let text = "\(dial)"
        let prefix = "\(dial.attempts[0].address): "
        return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }

    /// Has it test this node before anything is sent to it from the port listened on, and only then asks it what port it sees.
    private func askStranger(_ contact: DoctorContacts.Contact, before end: ContinuousClock.Instant) async {
        defer { self.isStrangerDone.withLock { $0 = true } }
        guard let connection = await self.connect(contact, purpose: .dialBack) else { return }
        await self.wait(until: end) { environment in
            let others = self.results.filter { $0.peer != contact.peer }
            // Nobody else says where this node could be reached: then it has to.
            if others.allSatisfy(\.hasFailed) { return true }
            let own = self.results.first { $0.peer == contact.peer }
            let reachability = environment.reachability
            // The others, too, so that there is a verdict.
            return own?.tests == false || reachability.hasSaid(contact.peer) && (reachability.overall != .unknown || reachability.haveAllSaid)
        }
        let reachability = await self.network.traversal.environment.reachability
        guard !Task.isCancelled, reachability.tcpMapping.behavior == .unknown else { return }
        self.verdict.withLock { $0 = reachability }
        await connection.close()
        await self.connect(contact, purpose: .connect)
    }

    // MARK: Waiting

    private func wait(until end: ContinuousClock.Instant, _ isKnown: (NATEnvironment) -> Bool) async {
        while ContinuousClock.now < end, !isKnown(await self.environment) {
            do { try await Task.sleep(for: Self.pace) } catch { return }
        }
    }

    private func settle(before end: ContinuousClock.Instant) async {
        var settledAt: ContinuousClock.Instant?
        await self.wait(until: end) { environment in
            var open = DiagnosisQuestions(environment, contacts: self.results, asksForPorts: self.network.traversal.asksForPorts, wantsUDP: self.wantsUDP)
            if !self.isStrangerDone.withLock({ $0 }) { open.insert(.contacts) }
            guard open.isSubset(of: .minor) else {
                settledAt = nil
                return false
            }
            let since = settledAt ?? .now
            settledAt = since
            return open.isEmpty || ContinuousClock.now - since >= Self.patience
        }
    }
}

extension ReachabilitySnapshot {
    /// Whether `server` has been heard about what a NAT does: about each address that others saw, else about any.
    fileprivate func hasSaid(_ server: PeerID) -> Bool {
        let seen = self.addresses.filter { $0.external.basis == .observed }
        func voted(_ address: Address) -> Bool { address.votes.contains { $0.server == server } }
        return seen.isEmpty ? self.addresses.contains(where: voted) : seen.allSatisfy(voted)
    }
}

extension DiagnosisCircumstances.Contact {
    fileprivate var hasFailed: Bool { if case .failed = self.outcome { true } else { false } }
}
