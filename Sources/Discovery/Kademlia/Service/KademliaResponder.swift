import DIGIdentity
import DIGMultiformats
import DIGNet
import Foundation
import OrderedCollections
import Synchronization

/// Answers the questions of others from what this node knows, and decides what is kept for them. Opens nothing and waits for nothing.
final class KademliaResponder: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// What to do about a question.
    enum Reply: Hashable, Sendable {
        case answer(KademliaMessage)
        /// ADD_PROVIDER has no answer. Go-libp2p would take one for the answer to its next question.
        case nothing
        /// Nothing was stored: the stream is reset (kad-dht r2, "RPC messages").
        case reset
    }

    /// A moment, by both clocks.
    struct Moment: Sendable {
        /// For what is kept here.
        var now: Instant
        /// Unix time, for what others have dated.
        var milliseconds: UInt64

        static var current: Self { Self(now: .now, milliseconds: WallClock.nowMilliseconds) }

        func instant(of milliseconds: UInt64) -> Instant {
            guard milliseconds > self.milliseconds else { return self.now }
            // A year is longer than anything is kept, and no overflow.
            return self.now + .milliseconds(Int64(clamping: min(milliseconds - self.milliseconds, 31_536_000_000)))
        }

        func milliseconds(of instant: Instant) -> UInt64 {
            let left = instant - self.now
            let (seconds, attoseconds) = left.components
            return seconds >= 0 ? self.milliseconds &+ UInt64(clamping: seconds) &* 1000 &+ UInt64(clamping: attoseconds / 1_000_000_000_000_000) : self.milliseconds
        }
    }

    /// Providers in one answer.
    static let maximumProvidersPerAnswer = 64

    let configuration: KademliaConfiguration
    let filter: PeerAddressFilter
    let validators: ValidatorTable
    let state: Mutex<KademliaState>

    init(localKey: KademliaKey, configuration: KademliaConfiguration) {
        self.configuration = configuration
        self.filter = configuration.filter
        self.validators = ValidatorTable(configuration.validators)
        self.state = Mutex(KademliaState(localKey: localKey, configuration: configuration))
    }

    /// - Parameters:
    ///   - peer: Who asks; proven.
    ///   - remote: From where.
    func reply(to message: KademliaMessage, from peer: PeerID, at remote: Multiaddr, moment: Moment) -> Reply {
        let reply: Reply
        switch message.kind {
        case .ping: reply = .answer(KademliaMessage(kind: .ping))
        case .findNode: reply = self.findNode(message, for: peer)
        case .getProviders: reply = self.getProviders(message, for: peer, moment: moment)
        case .addProvider:
            self.addProvider(message, from: peer, at: remote, moment: moment)
            reply = .nothing
        case .getValue: reply = self.getValue(message, for: peer, moment: moment)
        case .putValue: reply = self.putValue(message, from: peer, at: remote, moment: moment)
        }
        if reply != .reset { self.count { $0.requestsAnswered += 1 } }
        return reply
    }

    private func count(_ body: (inout KademliaStatistics) -> Void) { self.state.withLock { body(&$0.statistics) } }

    // MARK: Nodes

    private func findNode(_ message: KademliaMessage, for asker: PeerID) -> Reply {
        guard !message.key.isEmpty else { return .reset }
        var answer = KademliaMessage(kind: .findNode, key: message.key)
        answer.closerPeers = self.closer(to: message.key, for: asker)
        // Whoever is meant is named even if it serves no DHT, so that it can be found.
        var target: PeerID?
        do throws(IdentityError) { target = try PeerID(bytes: message.key) } catch { target = nil }
        if let target, target != asker, !answer.closerPeers.contains(where: { $0.peer == target }),
            let addresses = self.state.withLock({ $0.connected[target] }), !addresses.isEmpty
        {
            answer.closerPeers.insert(KademliaMessage.Peer(peer: target, addresses: addresses, connection: .connected), at: 0)
        }
        return .answer(answer)
    }

    private func closer(to key: [UInt8], for asker: PeerID) -> [KademliaMessage.Peer] {
        let (target, askerKey) = (KademliaKey(hashing: key), KademliaKey(asker))
        return self.state.withLock { state in
            state.table.closest(to: target, count: self.configuration.lookup.replication, excluding: askerKey).map {
                KademliaMessage.Peer(
                    peer: $0.peer, addresses: $0.addresses, connection: state.connected[$0.peer] == nil ? .canConnect : .connected)
            }
        }
    }

    // MARK: Providers

    private func getProviders(_ message: KademliaMessage, for asker: PeerID, moment: Moment) -> Reply {
        guard (1...KademliaLimits.maximumProviderKeyByteCount).contains(message.key.count) else { return .reset }
        var generator = SystemRandomNumberGenerator()
        let providers = self.state.withLock {
            $0.providers.providers(of: message.key, limit: Self.maximumProvidersPerAnswer, now: moment.now, using: &generator)
        }
        return .answer(
            KademliaMessage(
                kind: .getProviders, key: message.key, closerPeers: self.closer(to: message.key, for: asker),
                providerPeers: providers.map {
                    KademliaMessage.Peer(peer: $0.provider, addresses: $0.addresses, connection: .canConnect, statement: $0.statement)
                }))
    }

    private func addProvider(_ message: KademliaMessage, from sender: PeerID, at remote: Multiaddr, moment: Moment) {
        guard (1...KademliaLimits.maximumProviderKeyByteCount).contains(message.key.count) else {
            self.count { $0.invalidRecords += 1 }
            return
        }
        // Nobody speaks for others (kad-dht r2, ADD_PROVIDER), and once is enough.
        self.count { $0.wrongPeerRecords += UInt64(message.providerPeers.count { $0.peer != sender }) }
        guard let entry = message.providerPeers.first(where: { $0.peer == sender }) else { return }
        let network = self.filter.group(remote)
        guard let bytes = entry.statement else {
            guard !self.configuration.requiresSignedProviders else {
                self.count { $0.invalidRecords += 1 }
                return
            }
            let provider = StoredProvider(
                provider: sender, addresses: self.filter(entry.addresses), statement: nil, sequence: 0,
                expiresAt: moment.now + self.configuration.providers.maximumLifetime)
            self.add(provider, under: message.key, network: network, moment: moment)
            return
        }
        switch self.checked(bytes, under: message.key, moment: moment) {
        case .failure(let problem):
            self.count { $0.count(problem) }
        case .success(let statement):
            guard statement.provider == sender else {
                self.count { $0.wrongPeerRecords += 1 }
                return
            }
            if statement.isWithdrawn {
                self.state.withLock {
                    $0.providers.withdraw(
                        sender, under: message.key, sequence: statement.sequence, until: moment.instant(of: statement.expiresAtMilliseconds),
                        now: moment.now)
                }
                return
            }
            let provider = StoredProvider(
                provider: sender, addresses: self.filter(statement.addresses), statement: bytes, sequence: statement.sequence,
                expiresAt: moment.instant(of: statement.expiresAtMilliseconds))
            self.add(provider, under: message.key, network: network, moment: moment)
        }
    }

    private func add(_ provider: StoredProvider, under key: [UInt8], network: NetworkGroup?, moment: Moment) {
        self.state.withLock { state in
            switch state.providers.add(provider, under: key, network: network, now: moment.now) {
            case .added, .updated: break
            case .outdated: state.statistics.outdatedRecords += 1
            case .expired: state.statistics.expiredRecords += 1
            case .refused: state.statistics.refusedRecords += 1
            }
        }
    }

    /// A statement that is signed, about `key`, and of this time.
    func checked(_ bytes: [UInt8], under key: [UInt8], moment: Moment) -> Result<ProviderStatement, ValueError> {
        let statement: ProviderStatement
        do throws(IdentityError) { statement = try ProviderStatement(opening: bytes) } catch {
            return .failure(error.code == .invalidSignature ? .invalidSignature : .malformed)
        }
        guard statement.key == key else { return .failure(.wrongOwner) }
        let (expiry, now) = (statement.expiresAtMilliseconds, moment.milliseconds)
        guard expiry > now else { return .failure(.expired) }
        guard expiry - now <= SignedValueValidator.maximumLifetimeMilliseconds,
            statement.sequence <= now &+ SignedValueValidator.clockSkewMilliseconds
        else { return .failure(.tooFarInFuture) }
        return .success(statement)
    }

    // MARK: Values

    private func getValue(_ message: KademliaMessage, for asker: PeerID, moment: Moment) -> Reply {
        guard !message.key.isEmpty else { return .reset }
        var answer = KademliaMessage(kind: .getValue, key: message.key, closerPeers: self.closer(to: message.key, for: asker))
        if let recipient = Self.mailboxOwner(message.key) {
            let letters = self.state.withLock { $0.mailboxes.letters(for: recipient, now: moment.now) }
            if !letters.isEmpty { answer.record = ValueRecord(key: message.key, value: LetterBundle.encode(letters)) }
        } else {
            answer.record = self.state.withLock { $0.values.value(under: message.key, now: moment.now) }
        }
        return .answer(answer)
    }

    private func putValue(_ message: KademliaMessage, from sender: PeerID, at remote: Multiaddr, moment: Moment) -> Reply {
        guard var record = message.record, record.key == message.key, !record.key.isEmpty else {
            self.count { $0.invalidRecords += 1 }
            return .reset
        }
        let network = self.filter.group(remote)
        do throws(ValueError) {
            if let recipient = Self.mailboxOwner(record.key) {
                try self.post(record.value, to: recipient, from: sender, network: network, moment: moment)
                return .answer(KademliaMessage(kind: .putValue, key: record.key, record: record))
            }
            let validator = try self.validators.validator(for: record.key)
            guard record.value.count <= self.configuration.values.maximumValueByteCount else { throw .malformed }
            let expiry = try validator.validate(record.value, under: record.key, nowMilliseconds: moment.milliseconds)
            record.timeReceived = Date(timeIntervalSince1970: Double(moment.milliseconds) / 1000).formatted(.iso8601)
            let isStored = self.state.withLock { state in
                if let old = state.values.value(under: record.key, now: moment.now), old.value != record.value,
                    !validator.prefers(record.value, to: old.value, under: record.key)
                {
                    state.statistics.outdatedRecords += 1
                    return false
                }
                let expiresAt = expiry.map { moment.instant(of: $0) } ?? moment.now + self.configuration.values.maximumLifetime
                guard state.values.store(record, expiresAt: expiresAt, source: .init(sender, network), now: moment.now) else {
                    state.statistics.refusedRecords += 1
                    return false
                }
                return true
            }
            return isStored ? .answer(KademliaMessage(kind: .putValue, key: record.key, record: record)) : .reset
        } catch {
            self.count { $0.count(error) }
            return .reset
        }
    }

    // MARK: Letters

    /// Whose mailbox `key` is.
    static func mailboxOwner(_ key: [UInt8]) -> PeerID? {
        let prefix = Letter.keyPrefix.utf8
        guard key.starts(with: prefix) else { return nil }
        do throws(IdentityError) {
            let peer = try PeerID(String(decoding: key.dropFirst(prefix.count), as: UTF8.self))
            return Letter.key(for: peer) == key ? peer : nil
        } catch {
            return nil
        }
    }

    private func post(
        _ value: [UInt8], to recipient: PeerID, from sender: PeerID, network: NetworkGroup?, moment: Moment
    ) throws(ValueError) {
        guard let letters = LetterBundle.decode(value), letters.count == 1, let bytes = letters.first else { throw .malformed }
        let letter = try Self.checked(bytes, for: recipient, moment: moment)
        // A letter is brought by whoever wrote it: identities are what a flood has to pay with.
        guard letter.sender == sender else { throw .wrongOwner }
        let expiresAt = moment.instant(of: letter.expiresAtMilliseconds)
        self.state.withLock { state in
            if !state.mailboxes.add(letter, bytes: bytes, network: network, expiresAt: expiresAt, now: moment.now) {
                state.statistics.outdatedRecords += 1
            }
        }
    }

    /// A letter that is signed, to `recipient`, and of this time.
    static func checked(_ bytes: [UInt8], for recipient: PeerID, moment: Moment) throws(ValueError) -> Letter {
        let letter: Letter
        do throws(IdentityError) { letter = try Letter(opening: bytes) } catch {
            throw error.code == .invalidSignature ? .invalidSignature : .malformed
        }
        guard letter.recipient == recipient else { throw .wrongOwner }
        guard letter.expiresAtMilliseconds > moment.milliseconds else { throw .expired }
        guard letter.expiresAtMilliseconds - moment.milliseconds <= Letter.maximumLifetimeMilliseconds + SignedValueValidator.clockSkewMilliseconds
        else { throw .tooFarInFuture }
        return letter
    }
}

extension KademliaStatistics {
    /// A record that was sent here was not taken.
    fileprivate mutating func count(_ error: ValueError) {
        switch error {
        case .unknownNamespace, .malformed: self.invalidRecords += 1
        case .invalidSignature: self.invalidSignatures += 1
        case .wrongOwner: self.wrongPeerRecords += 1
        case .expired: self.expiredRecords += 1
        case .tooFarInFuture: self.futureRecords += 1
        }
    }
}
